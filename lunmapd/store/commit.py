"""Writing the tree: making it, and committing a map as one revision."""

import uuid
from collections.abc import Sequence

from kazoo.client import KazooClient, TransactionRequest
from kazoo.exceptions import (
    BadVersionError,
    KazooException,
    NodeExistsError,
    NoNodeError,
    RolledBackError,
    RuntimeInconsistency,
)
from msgspec import Struct

from lunmapd.core import digest as digests
from lunmapd.core.changes import Head, Revision
from lunmapd.core.documents import encode
from lunmapd.core.lunmap import Lunmap
from lunmapd.store import paths
from lunmapd.store.draft import Draft, Signature, Write, check_size, draft
from lunmapd.store.errors import (
    AlreadyInitialisedError,
    ConflictError,
    DamagedError,
    EditedMeanwhileError,
    LostError,
    NotInitialisedError,
    OutcomeUnknownError,
    RefusedError,
    StoreError,
    UnreachableError,
)
from lunmapd.store.read import fetch, read_revisions, read_top, sync
from lunmapd.store.session import Answer, Session, make
from lunmapd.store.snapshot import SCHEMA, Meta, Snapshot

_ATTEMPTS = 3
_MAX_NAMED = 20


class Failure(Struct, frozen=True):
    """The operation of a transaction at which it failed, and the error."""

    path: str
    error: Exception


def initialise(session: Session) -> str:
    """Make the chroot and an empty tree at revision 0; returns the uuid of the new cluster.

    Raises AlreadyInitialisedError, or DamagedError when a part of a tree is there.
    """
    _make_parents(session)
    meta = Meta(SCHEMA, str(uuid.uuid4()))
    writes = (
        Write(paths.META, None, encode(meta)),
        Write(paths.HEAD, None, encode(Head(0, digests.show(digests.EMPTY)))),
        *(Write(parent, None, b"") for parent in paths.PARENTS),
    )
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, writes)
        except LostError:
            continue
        return meta.cluster if failure is None else _initialised(session, meta, failure)
    raise UnreachableError(session.hosts, session.deadline)


def _initialised(session: Session, ours: Meta, failure: Failure) -> str:
    """Tell why the tree could not be made: it's that of a lost attempt of our own, another's, or half a tree."""
    try:
        found, _, _ = read_top(session)
    except NotInitialisedError:
        raise DamagedError(failure.path, "it exists without meta or head") from None
    if found == ours:
        return ours.cluster
    raise AlreadyInitialisedError(session.root, found.cluster)


def _make_parents(session: Session) -> None:
    steps = session.root.strip("/").split("/")
    for depth in range(1, len(steps) + 1):
        make(session, "/" + "/".join(steps[:depth]))


def commit(session: Session, before: Snapshot, after: Lunmap, signature: Signature) -> Revision | None:
    """Commit `after` as the revision that follows `before`; None when nothing changes.

    The caller has checked the rules.

    Raises ConflictError when somebody was faster, EditedMeanwhileError for a change around the tools, TooLargeError,
    OutcomeUnknownError when it can't be told whether it was done; after any other error nothing was committed.
    """
    prepared = draft(before, after, signature)
    if prepared is None:
        return None
    check_size(prepared, session.root)
    _send(session, prepared, before)
    return prepared.revision


def _send(session: Session, prepared: Draft, before: Snapshot) -> None:
    """Send until the outcome is known. The version of head lets no second attempt through, if the first was done."""
    lost = False
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, prepared.all_writes(), (paths.META,))
        except LostError:
            lost = True
            if _is_committed(session, prepared):
                return
            continue
        if failure is None or (lost and _is_committed(session, prepared)):
            return
        raise _reason(session, prepared, before, failure)
    raise UnreachableError(session.hosts, session.deadline, "; nothing was committed")


def _is_committed(session: Session, prepared: Draft) -> bool:
    number = prepared.revision.revision
    try:
        sync(session)
        (found,) = fetch(session, (paths.revision(number),))
    except UnreachableError as error:
        raise OutcomeUnknownError(session.hosts, number) from error
    return found is not None and found.data == encode(prepared.revision)


def _reason(session: Session, prepared: Draft, before: Snapshot, failure: Failure) -> StoreError:
    match failure.path, failure.error:
        case paths.META, NoNodeError():
            return NotInitialisedError(session.path(paths.META))
        case paths.HEAD, NoNodeError():
            return NotInitialisedError(session.path(paths.HEAD))
        case paths.HEAD, BadVersionError():
            return _conflict(session, prepared, before)
        case path, NodeExistsError() if path == paths.revision(prepared.revision.revision):
            return DamagedError(session.path(path), "head doesn't know of this revision")
        case path, (BadVersionError() | NodeExistsError() | NoNodeError()):
            return EditedMeanwhileError(path)
        case path, error:
            return RefusedError(f"{type(error).__name__} at {path}")


def _conflict(session: Session, prepared: Draft, before: Snapshot) -> StoreError:
    sync(session)
    _, head, _ = read_top(session)
    meanwhile = read_revisions(
        session, range(before.revision + 1, min(head.revision, before.revision + _MAX_NAMED) + 1)
    )
    if not meanwhile:
        return EditedMeanwhileError(paths.HEAD)
    theirs = {change.path for revision in meanwhile for change in revision.changes}
    ours = {write.path for write in prepared.writes}
    return ConflictError(meanwhile[-1].revision, meanwhile[-1].author, sorted(theirs & ours))


def submit(session: Session, writes: Sequence[Write], existing: Sequence[str] = ()) -> Failure | None:
    """Make all writes or none, provided that the `existing` znodes are there; returns what it failed at.

    Raises LostError when it is unknown whether it was done.
    """

    def ask(client: KazooClient) -> Answer[list[object]]:
        transaction = client.transaction()
        for path in existing:
            transaction.check(session.path(path), -1)
        for write in writes:
            _add(transaction, session.path(write.path), write)
        return transaction.commit_async()

    order = (*existing, *(write.path for write in writes))
    results = session.once(ask)
    # kazoo raises nothing for a transaction that failed: the one real error stands among placeholders.
    failures = [
        Failure(path, result)
        for path, result in zip(order, results, strict=True)
        if isinstance(result, KazooException)
        and not isinstance(result, RolledBackError | RuntimeInconsistency)
    ]
    return failures[0] if failures else None


def _add(transaction: TransactionRequest, path: str, write: Write) -> None:
    if write.after is None:
        transaction.delete(path, write.version)
    elif write.before is None:
        transaction.create(path, write.after)
    else:
        transaction.set_data(path, write.after, write.version)
