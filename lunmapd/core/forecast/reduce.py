"""The part of two maps on which the steps of nodes depend.

Most commits change few of many Luns. A Lun that both maps have, with the same initiators, has the same
objects on each node before and after, so it gives no step. It only keeps the TPGs of its targets, and the
ACLs of its initiators, for which one Lun of each kind is enough. An ACL that no change concerns is the same
before and after, so it need not be kept.
"""

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lun, Lunmap, initiators_of
from lunmapd.core.history.changes import differing_names

_Kind = tuple[object, ...]
"""The nodes of a Lun, and its targets with those initiators and groups that a change concerns, else ""."""


def reduce_maps(before: Lunmap, after: Lunmap) -> tuple[Lunmap, Lunmap]:
    """Return both maps without Luns that give no step on any node; whole if targets or nodes differ."""
    if before.targets != after.targets or before.nodes != after.nodes:
        return before, after
    touched = differing_names(before.luns, after.luns)
    if groups := differing_names(before.groups, after.groups):
        touched |= {
            name for name, lun in after.luns.items() if any(entry.group in groups for entry in lun.maps)
        }
    concerned = _concerned(before, after, touched)
    kept: dict[_Kind, str] = {}
    for name, lun in after.luns.items():
        if name not in touched:
            kept.setdefault(_kind_of(lun, concerned), name)
    names = touched.union(kept.values())
    return _with_luns(before, names), _with_luns(after, names)


def _concerned(before: Lunmap, after: Lunmap, touched: AbstractSet[str]) -> set[str]:
    """Return the initiators that differ, or see a touched Lun in either map, and their groups."""
    found = differing_names(before.initiators, after.initiators)
    for lunmap in (before, after):
        for name in touched & lunmap.luns.keys():
            for entry in lunmap.luns[name].maps:
                found.update(initiators_of(lunmap, entry))
    groups = (group for lunmap in (before, after) for group in lunmap.groups.items())
    return found.union(name for name, group in groups if not found.isdisjoint(group.initiators))


def _kind_of(lun: Lun, concerned: AbstractSet[str]) -> _Kind:
    return (
        lun.nodes,
        *[
            (entry.target, who if (who := entry.group or entry.initiator) in concerned else "")
            for entry in lun.maps
        ],
    )


def _with_luns(lunmap: Lunmap, names: AbstractSet[str]) -> Lunmap:
    # In the order of the map, which is the order of what is shown.
    order = [name for name in lunmap.luns if name in names]
    return replace(lunmap, luns={name: lunmap.luns[name] for name in order})
