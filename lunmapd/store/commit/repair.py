"""Putting back what was edited around the tools."""

from lunmapd.core.history.changes import Change, Revision, as_raw
from lunmapd.store.commit.commit import commit_content
from lunmapd.store.commit.commit_options import Terms
from lunmapd.store.commit.draft import Content, Step, Write
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history_errors import HistoryUnknownError
from lunmapd.store.tree.snapshot import ANY_VERSION, Snapshot, edits_known


def edited_changes(snapshot: Snapshot) -> tuple[Change, ...]:
    """Say what a repair would change: each edited object from what there is to what the history says."""
    return tuple(
        Change(path, as_raw(snapshot.data(path)), as_raw(data)) for path, data in snapshot.edited.items()
    )


def repair(session: Session, before: Snapshot, terms: Terms) -> Revision | None:
    """Put every edited object back to what the history says; None when there are none.

    The revision that is made changes nothing in the history; it makes the nodes look. Raises HistoryUnknownError, and
    the errors of `commit`.
    """

    def wanted(latest: Snapshot) -> Content | None:
        if not latest.edited_around:
            return None
        if not edits_known(latest):
            raise HistoryUnknownError
        return Content(tuple(_step(latest, path, data) for path, data in latest.edited.items()))

    return commit_content(session, before, wanted, terms)


def _step(latest: Snapshot, path: str, data: bytes | None) -> Step:
    version = latest.versions.get(path, ANY_VERSION)
    return Step(write=Write(path, latest.data(path), data, version))
