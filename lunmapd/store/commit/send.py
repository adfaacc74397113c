"""Sending transactions, until their outcome is known."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from kazoo.client import KazooClient, TransactionRequest
from kazoo.exceptions import (
    BadVersionError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
    RuntimeInconsistency,
)
from msgspec import Struct

from lunmapd.core.base.documents import encode
from lunmapd.core.base.permissions.access import AclEntries
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.history.changes import Revision
from lunmapd.store.commit.commit_errors import CommitInterruptedError, OutcomeUnknownError
from lunmapd.store.commit.commit_options import ignore_revision
from lunmapd.store.commit.draft import Draft, Write
from lunmapd.store.session import paths
from lunmapd.store.session.errors import (
    DamagedError,
    LostError,
    NotServedError,
    ServerRefusedError,
    StoreError,
    UnreachableError,
)
from lunmapd.store.session.refusals import refused
from lunmapd.store.session.session import Reply, Session
from lunmapd.store.tree.permissions.acl import to_kazoo
from lunmapd.store.tree.permissions.roles import NO_ACLS, inherited_acls
from lunmapd.store.tree.znodes import read_revisions, read_top, read_znodes, sync

_ATTEMPTS = 3
_BY_OTHERS = (NodeExistsError, NoNodeError, BadVersionError, NotEmptyError)


class SendFailure(Struct, frozen=True):
    """The first operation of a transaction that failed: the path of its znode, and the error."""

    path: str
    error: Exception


def send_draft(
    session: Session,
    prepared: Draft,
    parent_acls: Mapping[str, AclEntries] = NO_ACLS,
    committed: Callable[[int], None] = ignore_revision,
) -> SendFailure | None:
    """Send a draft until the outcome is known; return what it failed at. For `parent_acls` see `submit`.

    The version of head makes a second attempt fail if the first one was done. Raises OutcomeUnknownError,
    UnreachableError if nothing was committed, and CommitInterruptedError for a KeyboardInterrupt during which
    the draft was committed. A session's requests are answered in order, so a read after it shows that.
    `committed` is called with the number of the revision before anything can end this otherwise.
    """
    try:
        failure = _send_until_known(session, prepared, parent_acls)
        if failure is None:
            committed(prepared.revision.revision)
    except KeyboardInterrupt:
        if _is_committed(session, prepared):
            raise CommitInterruptedError.after(prepared.revision.revision) from None
        raise
    return failure


def _send_until_known(
    session: Session, prepared: Draft, parent_acls: Mapping[str, AclEntries]
) -> SendFailure | None:
    losses: list[LostError] = []
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, prepared.all_writes(), (prepared.tree_id,), parent_acls)
        except LostError as error:
            losses.append(error)
            if _is_committed(session, prepared):
                return None
            continue
        return None if losses and _is_committed(session, prepared) else failure
    raise _given_up(session, losses, prepared.all_writes())


def _given_up(session: Session, losses: Sequence[LostError], writes: Sequence[Write]) -> StoreError:
    """Return the error for a transaction that was given up after these losses; nothing of it was done.

    A server ends the connection, without a reply, at a request that is larger than its jute.maxbuffer.
    """
    if isinstance(losses[-1], NotServedError):
        return losses[-1]
    if all(isinstance(loss.__cause__, ConnectionLoss) for loss in losses):
        with suppress(UnreachableError):
            sync(session)
            size = sum(len(write.path) + len(write.after or b"") for write in writes)
            return ServerRefusedError(
                f"it ended the connection at each of {len(losses)} attempts to send a request of {size} "
                "bytes, though it answers others; nothing was committed",
                remedy="set jute.maxbuffer of the servers to 1048576, ZooKeeper's default, or more",
            )
    return UnreachableError(session.hosts, session.deadline, "; nothing was committed")


def _is_committed(session: Session, prepared: Draft) -> bool:
    number = prepared.revision.revision
    try:
        sync(session)
        if not prepared.records:
            return _is_released(session, prepared.revision)
        (raw,) = read_znodes(session, (paths.revision(number),))
    except UnreachableError as error:
        raise OutcomeUnknownError(session.hosts, number) from error
    return raw is not None and raw.data == encode(prepared.revision)


def _is_released(session: Session, last: Revision) -> bool:
    """Return whether nodes may follow `last`.

    They may not if further parts of the same commit follow, which may have undone it.
    """
    if read_top(session).head.revision < last.revision:
        return False
    following = read_revisions(session, (last.revision + 1,))
    return not following or following[0].part != last.part + 1


def submit_repeatable(
    session: Session, writes: Sequence[Write], existing: Sequence[str]
) -> SendFailure | None:
    """Make all writes or none, and again if the connection is lost.

    For writes that may be made twice, or by another client. Returns what failed, which after a lost
    connection may be because the writes were made. Raises ServerRefusedError for an error that no other
    client can have caused, and UnreachableError.
    """
    losses: list[LostError] = []
    for _ in range(_ATTEMPTS):
        try:
            failure = submit(session, writes, existing)
        except LostError as error:
            losses.append(error)
            continue
        if failure is not None and not isinstance(failure.error, _BY_OTHERS):
            raise refused(failure.error, failure.path)
        return failure
    raise _given_up(session, losses, writes)


def submit_in_tree(session: Session, tree_id: str, writes: Sequence[Write]) -> bool:
    """Make the writes as `submit_repeatable` does, in the tree of this `tree_id`.

    Returns whether this call made them. Raises DamagedError if that tree is gone.
    """
    failure = submit_repeatable(session, writes, (tree_id,))
    if failure is not None and failure.path == tree_id:
        raise DamagedError(session.path(tree_id), "it is missing, as after the tree was replaced")
    return failure is None


def submit(
    session: Session,
    writes: Sequence[Write],
    existing: Sequence[str] = (),
    parent_acls: Mapping[str, AclEntries] = NO_ACLS,
) -> SendFailure | None:
    """Make all writes or none, if the `existing` znodes exist; return what failed.

    New znodes get the ACLs of `inherited_acls`. Raises LostError if it is unknown whether the writes were
    made, and the errors of `Session.once`.
    """
    made = {write.path for write in writes if write.before is None and write.after is not None}
    acls = inherited_acls(session, made, parent_acls)

    def ask(client: KazooClient) -> Reply[list[object]]:
        transaction = client.transaction()
        for path in existing:
            transaction.check(session.path(path), -1)
        for write in writes:
            _add(transaction, session.path(write.path), write, acls.get(write.path))
        return transaction.commit_async()

    order = (*existing, *(write.path for write in writes))
    results = session.once(ask)
    # kazoo returns the results of a failed transaction: one real error among placeholders.
    failures = [
        SendFailure(path, result)
        for path, result in zip(order, results, strict=True)
        if isinstance(result, KazooException)
        and not isinstance(result, RolledBackError | RuntimeInconsistency)
    ]
    if not failures:
        return None
    if isinstance(failures[0].error, NoAuthError):
        raise session.not_permitted(failures[0].path, Role.ADMIN)
    return failures[0]


def _add(transaction: TransactionRequest, path: str, write: Write, acl: AclEntries | None) -> None:
    if write.after is None:
        transaction.delete(path, write.version)
    elif write.before is None:
        transaction.create(path, write.after, None if acl is None else to_kazoo(acl))
    else:
        transaction.set_data(path, write.after, write.version)
