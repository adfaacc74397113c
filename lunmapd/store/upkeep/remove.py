"""Deleting a branch of the tree."""

from collections.abc import Callable

from lunmapd.store.commit.draft import Write
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.acl import walk_znodes


def deletions(session: Session, top: str, hidden: Callable[[str], None] | None = None) -> list[Write]:
    """Return the writes that delete the znode `top` and all znodes below it, children first.

    Empty if it is missing. For `hidden` see `walk_znodes`.
    """
    znodes = [znode for window in walk_znodes(session, top, hidden=hidden) for znode in window]
    return [Write(znode.path, b"", None) for znode in reversed(znodes)]
