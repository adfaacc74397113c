"""Ending a rollout: confirming it, releasing it to all nodes, or aborting it."""

from collections.abc import Callable

from kazoo.exceptions import BadVersionError, NoNodeError, NotEmptyError
from msgspec.structs import replace

from lunmapd.core.base.documents import encode
from lunmapd.core.history.changes import Head, Revision, Rollout, patch_map
from lunmapd.core.history.rollout import is_undone
from lunmapd.store.commit.commit import MAX_ATTEMPTS
from lunmapd.store.commit.commit_errors import (
    BusyError,
    NoRolloutError,
    RolloutUndoneError,
    RolloutWaitsError,
    UnexpectedRevisionError,
)
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Draft, Write
from lunmapd.store.commit.draft_rollout import draft_aborted, draft_confirmed, draft_released, undone_changes
from lunmapd.store.commit.send import send_draft, submit_repeatable
from lunmapd.store.commit.write_back import read_objects, write_back, write_departures
from lunmapd.store.session import paths
from lunmapd.store.session.refusals import refused
from lunmapd.store.session.session import Session
from lunmapd.store.tree.history import read_revision
from lunmapd.store.tree.permissions.roles import read_parent_acls
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.snapshot import Snapshot

_OVERTAKEN = (BadVersionError, NoNodeError, NotEmptyError)
MakeDraft = Callable[[Snapshot, Rollout, Revision], Draft]
"""Takes the newest snapshot, its rollout, and the record of the revision that would undo it."""


def confirm_rollout(session: Session, before: Snapshot, options: CommitOptions) -> Revision:
    """Keep the revision that is tried, for all nodes, by a new revision; that confirms its removals, too.

    Raises NoRolloutError, RolloutUndoneError, RolloutWaitsError, and UnexpectedRevisionError.
    """

    def make(latest: Snapshot, rollout: Rollout, record: Revision) -> Draft:
        if rollout.first:
            raise RolloutWaitsError(rollout)
        return draft_confirmed(latest, rollout, encode(record), options.signature)

    return _end(session, before, options, make)


def release_rollout(session: Session, before: Snapshot, options: CommitOptions) -> Revision | None:
    """Let all nodes follow the revision that is tried.

    A rollout without a deadline ends with that, by the revision that is returned, which confirms no removal;
    one with a deadline goes on, and None is returned. Raises as `confirm_rollout` does, except
    RolloutWaitsError.
    """
    for _ in range(MAX_ATTEMPTS):
        latest, rollout = _pending(session, before, options)
        if not rollout.seconds:
            return _end(
                session,
                latest,
                options,
                lambda now, given, record: draft_released(now, given, encode(record), options.signature),
            )
        if not rollout.first or _is_released(session, latest, rollout):
            return None
        before = latest
    raise BusyError(MAX_ATTEMPTS)


def _is_released(session: Session, latest: Snapshot, rollout: Rollout) -> bool:
    """Release a rollout that has a deadline; return whether this call did it."""
    head = Head(
        latest.revision,
        latest.head_digest,
        latest.confirmed,
        None,
        latest.allowance,
        latest.ledger,
        replace(rollout, first=(), began=0.0),
    )
    write = Write(paths.HEAD, b"", encode(head), latest.head_version)
    tree_id = paths.tree_id(latest.cluster, latest.incarnation)
    return submit_repeatable(session, (write,), (tree_id,)) is None


def abort_rollout(session: Session, before: Snapshot, options: CommitOptions) -> Revision:
    """Undo the revision that is tried, by a new revision; one that a node has undone is only written back.

    An object that was edited out of band since stays as it is, an out-of-band edit of the new revision.

    Raises NoRolloutError, and UnexpectedRevisionError.
    """

    def make(latest: Snapshot, rollout: Rollout, record: Revision) -> Draft:
        found = read_objects(session, record)
        after = patch_map(latest.lunmap, undone_changes(record, found))
        write_departures(session, latest, latest.lunmap, after, rollout)
        return draft_aborted(latest, rollout, record, found, options.signature)

    try:
        return _end(session, before, options, make)
    except RolloutUndoneError as error:
        latest = refresh(session, before)
        if is_undone(latest.rollout, latest.revision):
            write_back(session, latest)
        return read_revision(session, error.undo, error.undo)


def _pending(session: Session, before: Snapshot, options: CommitOptions) -> tuple[Snapshot, Rollout]:
    """Return the newest snapshot and its rollout, which is not over. Raises as `confirm_rollout` does."""
    latest = refresh(session, before)
    rollout = latest.rollout
    if rollout is None:
        raise NoRolloutError
    if is_undone(rollout, latest.revision):
        raise RolloutUndoneError(rollout.revision, rollout.undo)
    if options.expect is not None and options.expect != latest.revision:
        raise UnexpectedRevisionError(options.expect, latest.revision)
    return latest, rollout


def _end(session: Session, latest: Snapshot, options: CommitOptions, make: MakeDraft) -> Revision:
    for _ in range(MAX_ATTEMPTS):
        latest, rollout = _pending(session, latest, options)
        draft = make(latest, rollout, read_revision(session, rollout.undo, rollout.undo))
        created = {write.path.partition("/")[0] for write in draft.writes if write.before is None}
        failure = send_draft(session, draft, read_parent_acls(session, created), options.committed)
        if failure is None:
            return draft.revision
        if not isinstance(failure.error, _OVERTAKEN):
            raise refused(failure.error, failure.path)
    raise BusyError(MAX_ATTEMPTS)
