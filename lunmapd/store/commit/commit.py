"""Committing a map as one revision, on top of whatever others have committed meanwhile."""

import random
import time
from collections.abc import Callable, Iterator, Sequence

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.history.fields import changed_field_names
from lunmapd.core.history.merge import merge_maps
from lunmapd.store.commit.commit_errors import (
    BusyError,
    Clash,
    ConflictError,
    StagedError,
    UnexpectedRevisionError,
)
from lunmapd.store.commit.commit_options import CommitOptions, Precondition
from lunmapd.store.commit.draft import Content, content_from_map, tip_of
from lunmapd.store.commit.publish import OvertakenError, publish
from lunmapd.store.session.errors import OlderSchemaError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import refresh
from lunmapd.store.tree.snapshot import SCHEMA, Snapshot, effective_map
from lunmapd.store.tree.znodes import read_revisions

MAX_ATTEMPTS = 100
_PAUSE = 0.02
_LONGEST_PAUSE = 0.4
_MAX_SEARCHED = 1000

MakeContent = Callable[[Snapshot], Content | None]
"""Gets what is there now and returns what to commit on top of it, None when there is nothing to do."""


def commit(session: Session, before: Snapshot, after: Lunmap, options: CommitOptions) -> Revision | None:
    """Commit the changes from `before` to `after`; None when there is nothing to do.

    What others committed since `before` stays: the changes are made on top of it, object by object.

    Raises InvalidInputError for a map that breaks a rule; ConflictError when somebody else changed the same objects, or
    when both changes together break a rule; UnexpectedRevisionError; BusyError when others were always faster;
    EditedMeanwhileError for a change around the tools; StagedError while a large commit is under way; StoppedError when
    this one is large and stopped in the middle; TooLargeError; OlderSchemaError; OutcomeUnknownError when it can't be told
    whether it was done. After any other error nothing was committed.
    """
    options.check_map(effective_map(before), after)

    def wanted(latest: Snapshot) -> Content | None:
        return content_from_map(latest, _rebase(session, before, after, latest, options.check))

    return commit_on_newest(session, before, wanted, options)


def edit(
    session: Session, before: Snapshot, change: Callable[[Lunmap], Lunmap], options: CommitOptions
) -> Revision | None:
    """Commit what `change` makes of the newest map; it is run again when others were faster.

    `before` is what was read last, however old. Raises the errors of `commit`, but no ConflictError.
    """

    def wanted(latest: Snapshot) -> Content | None:
        there = effective_map(latest)
        after = change(there)
        options.check_map(there, after)
        return content_from_map(latest, after)

    return commit_on_newest(session, before, wanted, options)


def commit_on_newest(
    session: Session, latest: Snapshot, wanted: MakeContent, options: CommitOptions
) -> Revision | None:
    """Commit what is wanted on top of the newest map, which may be newer than `latest`. Raises as `commit` does."""
    for attempt in range(MAX_ATTEMPTS):
        # A look first: it shows what has become of the tree, such as another one in its place.
        latest = refresh(session, latest)
        _check_writable(latest, options.expect)
        found = wanted(latest)
        if found is None:
            return None
        try:
            return publish(session, latest, tip_of(latest), found, options)
        except OvertakenError:
            time.sleep(_pause(attempt))
    raise BusyError(MAX_ATTEMPTS)


def _check_writable(latest: Snapshot, expect: int | None) -> None:
    if latest.schema < SCHEMA:
        raise OlderSchemaError(latest.schema, SCHEMA)
    if latest.staged is not None:
        raise StagedError(latest.staged)
    if expect is not None and latest.revision != expect:
        raise UnexpectedRevisionError(expect, latest.revision)


def _pause(attempt: int) -> float:
    """Return how long to wait, in seconds: writers who lost together must not come back together."""
    return random.uniform(0, min(_LONGEST_PAUSE, _PAUSE * 2**attempt))  # noqa: S311 - nothing secret about a pause


def _rebase(
    session: Session, before: Snapshot, after: Lunmap, latest: Snapshot, check: Precondition
) -> Lunmap:
    if latest.digest == before.digest:
        return after
    there = effective_map(latest)
    merged = merge_maps(effective_map(before), after, there)
    if merged.clashes:
        raise ConflictError(latest.revision, list(_clashes(session, before, latest, merged.clashes)))
    if found := check(there, merged.lunmap):
        raise ConflictError(latest.revision, (), found)
    return merged.lunmap


def _clashes(
    session: Session, before: Snapshot, latest: Snapshot, clashing: Sequence[str]
) -> Iterator[Clash]:
    """Tell who changed these objects last since `before`, and in which fields they are different now."""
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
