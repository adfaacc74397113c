"""Going back in the history of a map."""

from collections.abc import Iterable

from msgspec import Struct

from lunmapd.core.history.changes import Change, Revision, as_bytes


def invert_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that undo these changes."""
    return tuple(Change(change.path, change.after, change.before) for change in reversed(tuple(changes)))


class Span(Struct, frozen=True):
    """The changes of all revisions from `oldest` on together, each object once."""

    oldest: int
    changes: tuple[Change, ...]


def span_of(newest: int, newest_first: Iterable[Revision]) -> Span:
    """Return the span of consecutive revisions, of which the first is number `newest`.

    Without any revision the span begins after `newest`.
    """
    oldest = newest + 1
    changes: dict[str, Change] = {}
    for revision in newest_first:
        oldest = revision.revision
        for change in reversed(revision.changes):
            after = changes[change.path].after if change.path in changes else change.after
            changes[change.path] = Change(change.path, change.before, after)
    return Span(oldest, tuple(changes.values()))


def objects_at(target: int, oldest_first: Iterable[Revision]) -> dict[str, bytes | None]:
    """Return the objects that these revisions changed, as they were at revision `target`, by path.

    None means that the object did not exist. The revisions are consecutive, and the first is at most number
    `target` + 1.
    """
    documents: dict[str, bytes | None] = {}
    for revision in oldest_first:
        for change in revision.changes:
            if revision.revision <= target:
                documents[change.path] = as_bytes(change.after)
            else:
                documents.setdefault(change.path, as_bytes(change.before))
    return documents
