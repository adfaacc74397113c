"""Confirming removals, for nodes that hold them back."""

from lunmapd.core.history.changes import Revision
from lunmapd.store.commit.commit import commit_on_newest
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import check_released
from lunmapd.store.tree.history_errors import NoSuchRevisionError
from lunmapd.store.tree.snapshot import Snapshot


def confirm(session: Session, before: Snapshot, revision: int, options: CommitOptions) -> Revision | None:
    """Confirm the removals of every revision up to `revision`, by a revision of its own; None when they already are.

    Raises NoSuchRevisionError, PartOnlyError, and the errors of `commit`.
    """

    def wanted(latest: Snapshot) -> Content | None:
        if not 0 < revision <= latest.revision:
            raise NoSuchRevisionError(revision, latest.revision)
        check_released(session, revision, latest.revision)
        return Content(confirms=revision) if revision > latest.confirmed else None

    return commit_on_newest(session, before, wanted, options)
