"""Committing a map as one revision, on top of whatever others have committed meanwhile."""

import random
import time
from collections.abc import Callable, Iterator, Sequence

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from msgspec import Struct

from lunmapd.core import rules
from lunmapd.core.changes import Revision, diff
from lunmapd.core.errors import InvalidInputError, Problem
from lunmapd.core.fields import field_names
from lunmapd.core.lunmap import Lunmap
from lunmapd.core.merge import merge
from lunmapd.store import paths
from lunmapd.store.commit_errors import (
    BusyError,
    Clash,
    ConflictError,
    EditedMeanwhileError,
    UnexpectedRevisionError,
)
from lunmapd.store.draft import Content, Draft, Signature, check_size, content, draft
from lunmapd.store.errors import (
    DamagedError,
    NotInitialisedError,
    OlderSchemaError,
    RefusedError,
    StoreError,
)
from lunmapd.store.read import refresh
from lunmapd.store.send import Failure, send
from lunmapd.store.session import Session
from lunmapd.store.snapshot import SCHEMA, Snapshot
from lunmapd.store.top import read_revisions

ATTEMPTS = 100
_PAUSE = 0.02
_LONGEST_PAUSE = 0.4
_MAX_SEARCHED = 1000

Check = Callable[[Lunmap, Lunmap], Sequence[Problem]]
"""Gets the map that there is and the one to commit; returns the rules that this would break."""
Wanted = Callable[[Snapshot], Content | None]
"""Gets what is there now and returns what to commit on top of it, None when there is nothing to do."""


class Terms(Struct, frozen=True):
    """What a commit is bound to: who signs it, the rules, and the one revision on top of which it may be, if not on any."""

    signature: Signature
    check: Check
    expect: int | None = None


def by_the_rules(before: Lunmap, after: Lunmap) -> Sequence[Problem]:
    """Return every rule that a commit of `after` in place of `before` would break."""
    return (*rules.problems(after), *rules.change_problems(before, after))


def commit(session: Session, before: Snapshot, after: Lunmap, terms: Terms) -> Revision | None:
    """Commit the changes from `before` to `after`; None when there is nothing to do.

    What others committed since `before` stays: the changes are made on top of it, object by object.

    Raises InvalidInputError for a map that breaks a rule; ConflictError when somebody else changed the same objects, or
    when both changes together break a rule; UnexpectedRevisionError; BusyError when others were always faster;
    EditedMeanwhileError for a change around the tools; TooLargeError; OlderSchemaError; OutcomeUnknownError when it can't
    be told whether it was done. After any other error nothing was committed.
    """
    _refuse(terms.check(before.lunmap, after))

    def wanted(latest: Snapshot) -> Content | None:
        return content(latest, _rebased(session, before, after, latest, terms.check))

    return commit_content(session, before, wanted, terms)


def edit(
    session: Session, before: Snapshot, change: Callable[[Lunmap], Lunmap], terms: Terms
) -> Revision | None:
    """Commit what `change` makes of the newest map; it is run again when others were faster.

    `before` is what was read last, however old. Raises the errors of `commit`, but no ConflictError.
    """

    def wanted(latest: Snapshot) -> Content | None:
        after = change(latest.lunmap)
        _refuse(terms.check(latest.lunmap, after))
        return content(latest, after)

    return commit_content(session, before, wanted, terms)


def _refuse(found: Sequence[Problem]) -> None:
    if found:
        raise InvalidInputError(found)


def commit_content(session: Session, latest: Snapshot, wanted: Wanted, terms: Terms) -> Revision | None:
    """Commit what is wanted on top of the newest map, which may be newer than `latest`. Raises as `commit` does."""
    for attempt in range(ATTEMPTS):
        # A look first: it shows what has become of the tree, such as another one in its place.
        latest = refresh(session, latest)
        _check_writable(latest, terms.expect)
        found = wanted(latest)
        if found is None:
            return None
        prepared = draft(latest, found, terms.signature)
        check_size(prepared, session.root)
        failure = send(session, prepared)
        if failure is None:
            return prepared.revision
        if not _is_late(failure):
            raise _reason(session, prepared, latest, failure)
        time.sleep(_pause(attempt))
    raise BusyError(ATTEMPTS)


def _check_writable(latest: Snapshot, expect: int | None) -> None:
    if latest.schema < SCHEMA:
        raise OlderSchemaError(latest.schema, SCHEMA)
    if expect is not None and latest.revision != expect:
        raise UnexpectedRevisionError(expect, latest.revision)


def _pause(attempt: int) -> float:
    """Return how long to wait, in seconds: writers who lost together must not come back together."""
    return random.uniform(0, min(_LONGEST_PAUSE, _PAUSE * 2**attempt))  # noqa: S311 - nothing secret about a pause


def _is_late(failure: Failure) -> bool:
    return failure.path == paths.HEAD and isinstance(failure.error, BadVersionError)


def _rebased(session: Session, before: Snapshot, after: Lunmap, latest: Snapshot, check: Check) -> Lunmap:
    if latest.digest == before.digest:
        return after
    merged = merge(before.lunmap, after, latest.lunmap)
    if merged.clashes:
        raise ConflictError(latest.revision, list(_clashes(session, before, latest, merged.clashes)))
    if found := check(latest.lunmap, merged.lunmap):
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
    changes = {change.path: change for change in diff(before.lunmap, latest.lunmap)}
    for path in clashing:
        by = authors.get(path)
        yield Clash(path, field_names(changes[path]), by.author if by else "", by.revision if by else 0)


def _reason(session: Session, prepared: Draft, latest: Snapshot, failure: Failure) -> StoreError:
    match failure.path, failure.error:
        case paths.HEAD, NoNodeError():
            return NotInitialisedError(session.path(paths.HEAD))
        case path, NoNodeError() if path == prepared.identity:
            # Says so if there is no tree any more, or another one.
            refresh(session, latest)
            return DamagedError(session.path(path), "it is missing")
        case path, NodeExistsError() if path == paths.revision(prepared.revision.revision):
            return DamagedError(session.path(path), "head doesn't know of this revision")
        case path, (BadVersionError() | NodeExistsError() | NoNodeError()):
            return EditedMeanwhileError(path)
        case path, error:
            return RefusedError(f"{type(error).__name__} at {path}")
