"""Removing whole branches of the tree."""

from collections.abc import Iterator

from lunmapd.store.commit.draft import Write
from lunmapd.store.session.session import Session
from lunmapd.store.tree.znodes import request_children


def deletions(session: Session, path: str) -> list[Write]:
    """List what removes a znode and everything below it, the deepest first; nothing if it is not there."""
    return [Write(found, b"", None) for found in reversed(list(_all_below(session, path)))]


def _all_below(session: Session, path: str) -> Iterator[str]:
    level = [path]
    while level:
        names = session.gather([request_children(session, each) for each in level], level)
        yield from (each for each, below in zip(level, names, strict=True) if below is not None)
        level = [
            f"{each}/{name}" for each, below in zip(level, names, strict=True) for name in sorted(below or ())
        ]
