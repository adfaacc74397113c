"""Going back in the history of a map; pure."""

from collections.abc import Iterable

from msgspec import Struct

from lunmapd.core.history.changes import Change, Revision, as_bytes


def invert_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return what undoes the changes."""
    return tuple(Change(change.path, change.after, change.before) for change in reversed(tuple(changes)))


class Span(Struct, frozen=True):
    """What all revisions from `oldest` on changed together, each object once."""

    oldest: int
    changes: tuple[Change, ...]


def span_of(newest: int, newest_first: Iterable[Revision]) -> Span:
    """Put revisions together, of which the first is number `newest`; without any, the span begins after it."""
    oldest = newest + 1
    found: dict[str, Change] = {}
    for revision in newest_first:
        oldest = revision.revision
        for change in reversed(revision.changes):
            after = found[change.path].after if change.path in found else change.after
            found[change.path] = Change(change.path, change.before, after)
    return Span(oldest, tuple(found.values()))


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
