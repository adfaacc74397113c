"""Two changes of one map brought together, object by object; pure."""

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, diff_maps, patch_map


class Merge(Struct, frozen=True):
    """What became of a merge: the map with both changes, and the objects that both changed, each in another way.

    In `lunmap` the objects that clash are as theirs.
    """

    lunmap: Lunmap
    clashes: tuple[str, ...]


def merge_maps(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> Merge:
    """Make the changes from `base` to `ours` in `theirs`, which was made of `base` as well."""
    their_changes = {change.path: change for change in diff_maps(base, theirs)}
    safe: list[Change] = []
    clashes: list[str] = []
    for change in diff_maps(base, ours):
        their = their_changes.get(change.path)
        if their is None:
            safe.append(change)
        elif their != change:
            clashes.append(change.path)
    return Merge(patch_map(theirs, safe), tuple(clashes))
