"""Going back in the history of a map; pure."""

from collections.abc import Iterable

from lunmapd.core.changes import Change, Revision, as_bytes, patch, patch_digest
from lunmapd.core.lunmap import Lunmap


def inverse(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return what undoes the changes."""
    return tuple(Change(change.path, change.after, change.before) for change in reversed(tuple(changes)))


def undo(lunmap: Lunmap, newest_first: Iterable[Revision]) -> Lunmap:
    """Return the map as it was before these revisions. Raises DocumentError when a document can't be decoded."""
    oldest: dict[str, Change] = {}
    for revision in newest_first:
        for change in inverse(revision.changes):
            oldest[change.path] = change
    return patch(lunmap, oldest.values())


def undo_digest(value: int, newest_first: Iterable[Revision]) -> int:
    """Return the digest of the map before these revisions."""
    for revision in newest_first:
        value = patch_digest(value, inverse(revision.changes))
    return value


def objects_at(target: int, oldest_first: Iterable[Revision]) -> dict[str, bytes | None]:
    """List what these revisions changed, by path, as it was at revision `target`; None where an object was not.

    The revisions follow each other, and the first of them is at most the one after `target`.
    """
    found: dict[str, bytes | None] = {}
    for revision in oldest_first:
        for change in revision.changes:
            if revision.revision <= target:
                found[change.path] = as_bytes(change.after)
            else:
                found.setdefault(change.path, as_bytes(change.before))
    return found
