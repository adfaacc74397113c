"""Serials that get another path: other data under a WWID that hosts may still have. Pure.

Serials are compared by the NAA identifier that LIO derives from them: hosts know a disk by that.
`rules.sources` compares Luns that are mapped before and after a commit. This module compares the others, with
the Lun of any name that was the last one to be mapped with the serial.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.backings import plugin_of
from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.lunmap import Lun, Lunmap, reporting_nodes
from lunmapd.core.base.names import naa
from lunmapd.core.history.changes import Change, Revision, as_bytes, as_raw, patch_map, readable_change
from lunmapd.core.map.node_sources import rewrites_differ, sources_on_nodes
from lunmapd.core.placement.backing_paths import source_on


class LastMapping(Struct, frozen=True):
    """A Lun as it was mapped last, in the map `lunmap`.

    That is the current map, of `revision`, or one that `revision` ended.
    """

    name: str
    lunmap: Lunmap
    revision: int
    current: bool = False

    @property
    def lun(self) -> Lun:
        """The Lun itself."""
        return self.lunmap.luns[self.name]


class MovedSource(Struct, frozen=True):
    """A Lun whose serial had another path or configuration on a node while it was mapped last."""

    name: str
    former: LastMapping
    node: str
    old: str
    new: str


def touched_luns(befores: Sequence[Lunmap], after: Lunmap, differing: AbstractSet[str]) -> set[str]:
    """Return the names of the Luns of `after` whose paths may differ from those of the current maps.

    `differing` are the names of the Luns that may differ from one of these maps.
    """
    if any(rewrites_differ(before, after) for before in befores):
        return set(after.luns)
    return {name for name in differing if name in after.luns}


def stays_mapped(befores: Sequence[Lunmap], after: Lunmap, name: str) -> bool:
    """Return whether a Lun of `after` is mapped with its identifier in each current map too, under its name.

    `moved_sources` leaves such a Lun to `rules.sources`.
    """
    now = after.luns[name]
    return bool(now.maps) and all(
        (was := before.luns.get(name)) is not None and was.maps and naa(was.serial) == naa(now.serial)
        for before in befores
    )


def current_mappings(
    befores: Sequence[Lunmap], naas: AbstractSet[str], revision: int
) -> dict[str, LastMapping]:
    """Return the mapped Luns with these identifiers in the current maps, of `revision`, by identifier."""
    return {
        identifier: LastMapping(name, before, revision, current=True)
        for before in befores
        for name, lun in (before.luns.items() if naas else ())
        if lun.maps and (identifier := naa(lun.serial)) in naas
    }


def unmapped_and_kept(befores: Sequence[Lunmap], after: Lunmap, names: Iterable[str]) -> set[str]:
    """Return the NAA identifiers of the Luns whose name, serial and path the current maps have, unmapped."""
    return {
        naa(after.luns[name].serial)
        for name in names
        if all(_keeps(before, after, name) for before in befores)
    }


def _keeps(before: Lunmap, after: Lunmap, name: str) -> bool:
    was, now = before.luns.get(name), after.luns[name]
    if was is None or was.serial != now.serial or was.backing != now.backing:
        return False
    both = before.nodes.keys() & after.nodes.keys()
    return all(
        source_on(was, node, before.nodes[node]) == source_on(now, node, after.nodes[node]) for node in both
    )


def last_mappings(
    naas: AbstractSet[str], now: Lunmap, newest_first: Iterable[Revision]
) -> dict[str, LastMapping]:
    """Return the Lun that was the last one to be mapped with each NAA identifier, by identifier.

    The first revision led to the map `now`, in which none of these is mapped. One that no revision had is
    left out. A document that can't be decoded counts as absent.
    """
    found: dict[str, LastMapping] = {}
    undone: dict[str, bytes | None] = {}
    for revision in newest_first:
        if len(found) == len(naas):
            break
        undone.update((change.path, as_bytes(change.before)) for change in reversed(revision.changes))
        for change in revision.changes:
            lun = _lun_before(change)
            if lun is None or not lun.maps:
                continue
            identifier = naa(lun.serial)
            if identifier in naas and identifier not in found:
                name = change.path.partition("/")[2]
                found[identifier] = LastMapping(name, _patched(now, undone), revision.revision)
    return found


def _lun_before(change: Change) -> Lun | None:
    data = as_bytes(change.before)
    if data is None or not change.path.startswith("luns/"):
        return None
    try:
        return decode(data, Lun)
    except DocumentError:
        return None


def _patched(now: Lunmap, undone: dict[str, bytes | None]) -> Lunmap:
    changes = (Change(path, after=as_raw(data)) for path, data in undone.items())
    return patch_map(now, map(readable_change, changes))


def moved_sources(
    after: Lunmap, names: Iterable[str], former: Mapping[str, LastMapping]
) -> list[MovedSource]:
    """Return those of the Luns whose serial had another path on a node when it was mapped last, by name.

    A Lun that is and stays mapped under its name is left to `rules.sources`.
    """
    return [
        moved
        for name in sorted(names)
        if (last := former.get(naa(after.luns[name].serial))) is not None
        and not (last.current and last.name == name and after.luns[name].maps)
        and (moved := _moved(after, name, last)) is not None
    ]


def _moved(after: Lunmap, name: str, former: LastMapping) -> MovedSource | None:
    """Compare the nodes that reported the Lun and do so now; else those that do so now, or did, or could."""
    was, now = former.lun, after.luns[name]
    earlier, later = set(reporting_nodes(former.lunmap, was)), set(reporting_nodes(after, now))
    reporting = (earlier & later or later or earlier) & after.nodes.keys()
    nodes = sorted(reporting or after.nodes)
    for node, _, old, new in sources_on_nodes(former.lunmap, was, after, now, nodes):
        if old != new or plugin_of(was.backing) != plugin_of(now.backing):
            return MovedSource(name, former, node, old, new)
    return None
