"""Putting back what was edited around the tools."""

from lunmapd.core.history.changes import Change, Revision, as_raw
from lunmapd.store.commit.commit import commit_on_newest
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Content, Write, WriteStep
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history_errors import HistoryUnknownError
from lunmapd.store.tree.snapshot import ANY_VERSION, Snapshot, edits_explained


def edited_changes(snapshot: Snapshot) -> tuple[Change, ...]:
    """Say what a repair would change: each edited object from what there is to what the history says."""
    return tuple(
        Change(path, as_raw(snapshot.data(path)), as_raw(data)) for path, data in snapshot.edited.items()
    )


def repair(session: Session, before: Snapshot, options: CommitOptions) -> Revision | None:
    """Put every edited object back to what the history says; None when there are none.

    The revision that is made changes nothing in the history; it makes the nodes look. Raises HistoryUnknownError, and
    the errors of `commit`.
    """

    def wanted(latest: Snapshot) -> Content | None:
        if not latest.has_edits:
            return None
        if not edits_explained(latest):
            raise HistoryUnknownError
        return Content(tuple(_step(latest, path, data) for path, data in latest.edited.items()))

    return commit_on_newest(session, before, wanted, options)


def _step(latest: Snapshot, path: str, data: bytes | None) -> WriteStep:
    version = latest.versions.get(path, ANY_VERSION)
    return WriteStep(write=Write(path, latest.data(path), data, version))
