"""Committing a map as one revision, rebased on the commits that other clients made meanwhile."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from lunmapd.core.base.errors import InvalidInputError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.permissions.access import AclEntries
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.history.fields import changed_field_names
from lunmapd.core.history.map_change import MapChange, compare_objects
from lunmapd.core.history.merge import merge_maps
from lunmapd.core.history.rollout import is_undone
from lunmapd.store.commit.commit_errors import (
    BusyError,
    Clash,
    ConflictError,
    RolloutPendingError,
    StagedError,
    UnexpectedRevisionError,
)
from lunmapd.store.commit.commit_options import CommitOptions, Precondition
from lunmapd.store.commit.draft import Content, content_from_change, tip_of
from lunmapd.store.commit.leases import keep_leases
from lunmapd.store.commit.ledger import with_ledger
from lunmapd.store.commit.publish import MadeCommit, OvertakenError, publish
from lunmapd.store.commit.queue import CommitQueue
from lunmapd.store.commit.write_back import prepare_rollout, write_back
from lunmapd.store.session.errors import OlderSchemaError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.roles import NO_ACLS
from lunmapd.store.tree.refresh import refresh_for_commit
from lunmapd.store.tree.snapshot import SCHEMA, Snapshot, effective_map
from lunmapd.store.tree.znodes import read_revisions

MAX_ATTEMPTS = 100
_PAUSE = 0.02
_LONGEST_PAUSE = 0.4
_MAX_SEARCHED = 1000

MakeContent = Callable[[Snapshot], Content | None]
"""Takes the newest snapshot; returns what to commit on top of it, or None if there is nothing to do."""


def commit(session: Session, before: Snapshot, after: Lunmap, options: CommitOptions) -> Revision | None:
    """Commit the changes from `before` to `after`; return None if there is nothing to do.

    Commits that other clients made since `before` stay: the changes are rebased on them, object by object.

    Raises InvalidInputError for a map that breaks a rule, such as a LUN number that is used again;
    ConflictError if another client changed the same objects, or if both changes together break a rule;
    UnexpectedRevisionError; BusyError if other clients were faster each time; NestedCommitError inside the
    function of `edit`; EditedMeanwhileError for an out-of-band edit of an object that is to be written;
    StagedError while a large commit is under way; RolloutPendingError during a rollout; RolloutEditedError
    and RolloutTooLargeError for a commit that would start one; StoppedError if this commit is large and
    stopped half-way; TooLargeError; OlderSchemaError; and OutcomeUnknownError if it is unknown whether the
    commit was made. After any other error nothing was committed.
    """
    change = compare_objects(effective_map(before), after)
    options.check_map(change)
    rebased = change

    def make(latest: Snapshot) -> Content | None:
        nonlocal rebased
        rebased = _rebase(session, before, change, latest, options.check)
        try:
            return _content(session, latest, rebased, options)
        except InvalidInputError as error:
            if latest.revision == before.revision:
                raise
            raise ConflictError(latest.revision, (), error.problems) from None

    revision = commit_on_newest(session, before, make, options)
    keep_leases(session, rebased.after, revision.revision if revision else None)
    return revision


def edit(
    session: Session, before: Snapshot, change: Callable[[Lunmap], Lunmap], options: CommitOptions
) -> MadeCommit | None:
    """Commit what `change` makes of the newest map; `change` runs again if another client was faster.

    `before` is the last snapshot that was read, however old. Return None if there is nothing to do. Raises
    the errors of `commit` except ConflictError.
    """
    after = Lunmap()

    def make(latest: Snapshot) -> Content | None:
        nonlocal after
        effective = effective_map(latest)
        after = change(effective)
        changed = compare_objects(effective, after)
        options.check_map(changed)
        return _content(session, latest, changed, options)

    made = _commit_on_newest(session, before, make, options)
    keep_leases(session, after, made.revision.revision if made else None)
    return made


def _content(session: Session, latest: Snapshot, change: MapChange, options: CommitOptions) -> Content | None:
    content = content_from_change(latest, change)
    return None if content is None else with_ledger(session, latest, change, content, options)


def commit_on_newest(
    session: Session, latest: Snapshot, make: MakeContent, options: CommitOptions
) -> Revision | None:
    """Commit what `make` returns for the newest map, which may be newer than `latest`.

    Raises as `commit` does.
    """
    made = _commit_on_newest(session, latest, make, options)
    return made.revision if made else None


def _commit_on_newest(
    session: Session, latest: Snapshot, make: MakeContent, options: CommitOptions
) -> MadeCommit | None:
    with CommitQueue(session) as queue:
        for attempt in range(MAX_ATTEMPTS):
            # The read comes first: it finds out whether the tree was replaced or restored.
            known = latest
            latest, writers, acls = refresh_for_commit(session, known, queue.expected)
            if is_undone(latest.rollout, latest.revision):
                write_back(session, latest)
                continue
            _check_writable(latest, options.expect)
            if writers and not queue.has_turn:
                queue.wait(acls)
                continue
            content = make(latest)
            if content is None:
                return None
            is_safe = queue.has_turn or latest.revision == known.revision
            inherited = acls if is_safe else NO_ACLS
            try:
                return _publish(session, latest, content, options, queue=queue, acls=inherited)
            except OvertakenError:
                _wait(queue, attempt, acls)
    raise BusyError(MAX_ATTEMPTS)


def _publish(  # noqa: PLR0913 - where, what and how
    session: Session,
    latest: Snapshot,
    content: Content,
    options: CommitOptions,
    *,
    queue: CommitQueue,
    acls: Mapping[str, AclEntries],
) -> MadeCommit:
    if options.trial is not None:
        prepare_rollout(session, latest)
    tip = tip_of(latest)
    made = publish(session, latest, tip, content, options, parent_acls=acls, leaving=queue.leaving())
    queue.left()
    return made


def _wait(queue: CommitQueue, attempt: int, acls: Mapping[str, AclEntries]) -> None:
    """Wait after a lost attempt: for the writer's turn; if it had it, for a client without the queue."""
    if queue.has_turn:
        time.sleep(_pause(attempt))
    queue.wait(acls)


def _check_writable(latest: Snapshot, expect: int | None) -> None:
    if latest.schema < SCHEMA:
        raise OlderSchemaError(latest.schema, SCHEMA)
    if latest.staged is not None:
        raise StagedError(latest.staged)
    if latest.rollout is not None:
        raise RolloutPendingError(latest.rollout)
    if expect is not None and latest.revision != expect:
        raise UnexpectedRevisionError(expect, latest.revision)


def _pause(attempt: int) -> float:
    """Return a random pause in seconds, so that clients that lost together do not retry together."""
    return random.uniform(0, min(_LONGEST_PAUSE, _PAUSE * 2**attempt))  # noqa: S311 - no secret


def _rebase(
    session: Session, before: Snapshot, change: MapChange, latest: Snapshot, check: Precondition
) -> MapChange:
    effective = effective_map(latest)
    if latest.digest == before.digest:
        return change if effective is change.before else compare_objects(effective, change.after)
    merged = merge_maps(change.before, change.after, effective)
    if merged.clashes:
        raise ConflictError(latest.revision, list(_clashes(session, before, latest, merged.clashes)))
    rebased = compare_objects(effective, merged.lunmap)
    if problems := check(rebased):
        raise ConflictError(latest.revision, (), problems)
    return rebased


def _clashes(
    session: Session, before: Snapshot, latest: Snapshot, clashing: Sequence[str]
) -> Iterator[Clash]:
    """Yield for each object who changed it last since `before`, and which of its fields differ now."""
    oldest = max(before.revision, latest.revision - _MAX_SEARCHED)
    authors: dict[str, Revision] = {}
    for revision in read_revisions(session, range(latest.revision, oldest, -1)):
        for change in revision.changes:
            authors.setdefault(change.path, revision)
    changes = {change.path: change for change in diff_maps(effective_map(before), effective_map(latest))}
    for path in clashing:
        by = authors.get(path)
        yield Clash(
            path, changed_field_names(changes[path]), by.author if by else "", by.revision if by else 0
        )
