"""Serials that get another path: a commit must name the Lun."""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from lunmapd.core.base.backings import source_field
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.serials import MovedSource


def check_moved_sources(
    moved: Iterable[MovedSource], after: Lunmap, rebacking: AbstractSet[str]
) -> Iterator[Problem]:
    """Report each Lun that is not named in `rebacking`."""
    for each in moved:
        if each.name not in rebacking:
            field = source_field(after.luns[each.name].backing)
            yield Problem(("luns", each.name, "backing", field), _sentence(each))


def _sentence(moved: MovedSource) -> str:
    former = moved.former
    until = "in" if former.current else "until"
    return (
        f"on node {moved.node} Lun {moved.name} would have {moved.new or 'memory'}, and Lun {former.name}, "
        f"with the same serial, was mapped with {moved.old or 'memory'} {until} revision {former.revision}: "
        "other data under the same WWID, which no initiator that still has the device notices; omit the "
        f"serial to make a new Lun; to allow it, such as for another name of the same device: "
        f"--rebacking {moved.name}"
    )
