"""One Lun of the Luns that several nodes have for one volume. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from lunmapd.core.base.backings import Backing, RamDisk
from lunmapd.core.base.lunmap import Lun, Lunmap, Map, Scope, Shared, reporting_nodes, serving_nodes
from lunmapd.core.conversion.conversion import Notes
from lunmapd.core.placement.backing_paths import source_on

_ALIKE = ("serial", "size", "vendor", "product", "attributes", "preferred", "others")


class NodeMap(Struct, frozen=True):
    """The map of one or more nodes, and the file that it is from."""

    label: str
    lunmap: Lunmap


class NodeLun(Struct, frozen=True):
    """A Lun of such a map, and its name there."""

    given: NodeMap
    lun: Lun
    name: str

    @property
    def place(self) -> str:
        """Its place in the file."""
        return f"{self.given.label}: luns[{self.name}]"


def join_luns(bare: Lunmap, named: Mapping[str, Sequence[NodeLun]], notes: Notes) -> dict[str, Lun]:
    """Return the Luns of the joint map, which has all other objects already, by name."""
    _check_numbers(named, notes)
    luns = {}
    for name, parts in named.items():
        for other in parts[1:]:
            _check_alike(parts[0], other, notes)
            _note_new_paths(parts[0], other, notes)
        luns[name] = _joint(bare, parts, notes)
    return luns


def _check_alike(first: NodeLun, other: NodeLun, notes: Notes) -> None:
    fields = [name for name in _ALIKE if getattr(first.lun, name) != getattr(other.lun, name)]
    if type(first.lun.backing) is not type(other.lun.backing):
        fields.append("backing.type")
    if fields:
        notes.lost(
            f"{first.place} and {other.place}",
            f"one WWID, but they differ in {', '.join(fields)}: the map has the first",
        )
    elif isinstance(first.lun.backing, RamDisk):
        notes.lost(f"{first.place} and {other.place}", "two ramdisks with one WWID have different data")


def _note_new_paths(first: NodeLun, other: NodeLun, notes: Notes) -> None:
    """Note the initiators that see the Lun through one of the two only, although both have the target."""
    both = first.given.lunmap.targets.keys() & other.given.lunmap.targets.keys()
    for one, another in ((first, other), (other, first)):
        there = {_who(entry) for entry in another.lun.maps}
        for entry in one.lun.maps:
            if entry.target in both and _who(entry) not in there:
                who = entry.initiator or entry.group
                notes.changed(
                    another.place,
                    f"{who} gets paths through its nodes, too, as in {one.place}: to take over a node as it "
                    "is, map it there with its tool first",
                )


def _who(entry: Map) -> tuple[str, str, str]:
    return entry.target, entry.initiator, entry.group


def _check_numbers(named: Mapping[str, Sequence[NodeLun]], notes: Notes) -> None:
    """Note the LUN numbers that lead to different volumes in two files, and the other way round.

    What one file says twice, such as about a group without members, is left to the rules of the map.
    """
    seen: dict[tuple[tuple[str, str, str], int], tuple[str, NodeLun]] = {}
    numbers: dict[tuple[str, tuple[str, str, str]], tuple[Map, NodeLun]] = {}
    for name, parts in named.items():
        for part in parts:
            for entry in part.lun.maps:
                who = _who(entry)
                volume, first = seen.setdefault((who, entry.lun), (name, part))
                if volume != name and first.given is not part.given:
                    _note_clash(first, part, f"LUN {entry.lun} of {_names(who)} is another volume", notes)
                earlier, first = numbers.setdefault((name, who), (entry, part))
                if first.given is part.given:
                    continue
                if earlier.lun != entry.lun:
                    _note_clash(
                        first, part, f"{_names(who)} has numbers {earlier.lun} and {entry.lun}", notes
                    )
                elif earlier.access is not entry.access:
                    _note_clash(first, part, f"{_names(who)} has different access", notes)


def _names(who: tuple[str, str, str]) -> str:
    return f"{who[1] or who[2]} at {who[0]}"


def _note_clash(first: NodeLun, other: NodeLun, text: str, notes: Notes) -> None:
    notes.lost(f"{first.place} and {other.place}", f"{text}: settle it on the nodes first")


def _joint(bare: Lunmap, parts: Sequence[NodeLun], notes: Notes) -> Lun:
    """Return the Lun of all parts: reported by their nodes, with the path that each node has."""
    first = parts[0].lun
    maps = first.maps
    for part in parts[1:]:
        known = {_who(entry) for entry in maps}
        maps += tuple(entry for entry in part.lun.maps if _who(entry) not in known)
    paths = dict(_paths(parts))
    lun = structs.replace(first, backing=_backing(bare, first, paths), maps=maps)
    if set(paths) != serving_nodes(bare, lun) and paths:
        lun = structs.replace(lun, nodes=tuple(sorted(paths)))
    if lun.shared is None and len(reporting_nodes(bare, lun)) > 1:
        notes.changed(
            parts[0].place,
            "shared is per-node, as each node is today: reservations and COMPARE AND WRITE through one node "
            "are not known to the others",
        )
        lun = structs.replace(lun, shared=Shared(Scope.PER_NODE, Scope.PER_NODE))
    return lun


def _paths(parts: Sequence[NodeLun]) -> Iterator[tuple[str, str]]:
    for part in parts:
        lunmap = part.given.lunmap
        for node in reporting_nodes(lunmap, part.lun):
            if node in lunmap.nodes:
                yield node, source_on(part.lun, node, lunmap.nodes[node])


def _backing(bare: Lunmap, lun: Lun, paths: Mapping[str, str]) -> Backing:
    """Return the backing of the first part with the paths of the nodes that have another one."""
    backing = lun.backing
    if isinstance(backing, RamDisk):
        return backing
    overrides = {node: path for node, path in paths.items() if source_on(lun, node, bare.nodes[node]) != path}
    return structs.replace(backing, overrides={**backing.overrides, **overrides})
