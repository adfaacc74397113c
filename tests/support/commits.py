"""Commits of the tests, at one time and with no rules unless a test asks for them."""

from collections.abc import Callable
from datetime import datetime

from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Revision
from lunmapd.core.history.map_change import MapChange, compare_objects
from lunmapd.store.commit.commit import commit
from lunmapd.store.commit.commit_options import CommitOptions, Precondition
from lunmapd.store.commit.draft import Content, Signature, content_from_change, tip_of
from lunmapd.store.commit.publish import publish
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from lunmapd.store.tree.snapshot import Snapshot

NOW = "2025-01-31T12:00:00Z"
NOON = datetime.fromisoformat(NOW)


def any_map(_: MapChange) -> tuple[Problem, ...]:
    """Accept every map, for tests that are not about the rules."""
    return ()


def terms(author: str = "ann", check: Precondition = any_map, expect: int | None = None) -> CommitOptions:
    """Make the terms of a commit."""
    return CommitOptions(Signature(author, "a test", NOON), check, expect)


def put(
    session: Session,
    after: Lunmap,
    before: Snapshot | None = None,
    *,
    author: str = "ann",
    check: Precondition = any_map,
) -> Revision | None:
    """Commit a map, on top of the current one unless `before` is given."""
    return commit(session, before or read_tree(session), after, terms(author, check))


def content_of(before: Snapshot, after: Lunmap) -> Content | None:
    """Return what commits `after` on top of a snapshot."""
    return content_from_change(before, compare_objects(before.lunmap, after))


def overtake(session: Session, change: Callable[[Lunmap], Lunmap]) -> None:
    """Commit a change as a client does that does not know the commit queue."""
    latest = read_tree(session)
    content = content_of(latest, change(latest.lunmap))
    assert content is not None
    publish(session, latest, tip_of(latest), content, terms())
