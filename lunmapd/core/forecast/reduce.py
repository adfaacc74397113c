"""The part of two maps on which the steps of nodes depend.

Most commits change few of many Luns. A Lun that both maps have, with the same initiators, has the same
objects on each node before and after, so it gives no step. It only keeps the ACLs of its initiators, for
which one Lun of each kind is enough.
"""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.history.changes import differing_names

_Kind = tuple[frozenset[tuple[str, str, str]], tuple[str, ...]]
"""The initiators and groups of a Lun with their targets, and its nodes."""


def reduce_maps(before: Lunmap, after: Lunmap) -> tuple[Lunmap, Lunmap]:
    """Return both maps without Luns that give no step on any node; whole if targets or nodes differ."""
    if before.targets != after.targets or before.nodes != after.nodes:
        return before, after
    groups = differing_names(before.groups, after.groups)
    touched = differing_names(before.luns, after.luns)
    kept: dict[_Kind, str] = {}
    for name, lun in after.luns.items():
        if name not in touched and not any(entry.group in groups for entry in lun.maps):
            kept.setdefault(_kind_of(lun), name)
        else:
            touched.add(name)
    names = touched | set(kept.values())
    return _with_luns(before, names), _with_luns(after, names)


def _kind_of(lun: Lun) -> _Kind:
    return frozenset((entry.target, entry.initiator, entry.group) for entry in lun.maps), lun.nodes


def _with_luns(lunmap: Lunmap, names: set[str]) -> Lunmap:
    return replace(lunmap, luns={name: lun for name, lun in lunmap.luns.items() if name in names})
