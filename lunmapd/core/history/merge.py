"""Merging two changes of the same map, object by object."""

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, diff_maps, patch_map


class Merge(Struct, frozen=True):
    """The map with both changes, and the paths of the objects that both changed differently.

    In `lunmap` the clashing objects are as in `theirs`.
    """

    lunmap: Lunmap
    clashes: tuple[str, ...]


def merge_maps(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> Merge:
    """Apply the changes from `base` to `ours` to `theirs`, which is a change of `base` too."""
    their_changes = {change.path: change for change in diff_maps(base, theirs)}
    safe: list[Change] = []
    clashes: list[str] = []
    for change in diff_maps(base, ours):
        their_change = their_changes.get(change.path)
        if their_change is None:
            safe.append(change)
        elif their_change != change:
            clashes.append(change.path)
    return Merge(patch_map(theirs, safe), tuple(clashes))
