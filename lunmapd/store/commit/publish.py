"""Writing a prepared commit: in one transaction, or in parts that are released together."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from kazoo.exceptions import BadVersionError, NodeExistsError, NoNodeError
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.errors import Exit
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.base.permissions.access import AclEntries, acl_size
from lunmapd.core.history.changes import Revision
from lunmapd.store.commit.commit_errors import (
    CommitInterruptedError,
    EditedMeanwhileError,
    RolloutTooLargeError,
    StoppedError,
    TakenOverError,
)
from lunmapd.store.commit.commit_options import CommitOptions, ignore_revision
from lunmapd.store.commit.draft import (
    Content,
    Draft,
    Tip,
    Write,
    draft_commit,
    draft_part,
    draft_release,
    tip_after,
)
from lunmapd.store.commit.draft_rollout import draft_rollout
from lunmapd.store.commit.send import SendFailure, send_draft
from lunmapd.store.commit.sizes import WriteOverhead, check_content, divide, fits
from lunmapd.store.session import paths
from lunmapd.store.session.errors import DamagedError, NotInitialisedError, StoreError
from lunmapd.store.session.refusals import refused
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.acl import read_stats_and_acls
from lunmapd.store.tree.permissions.roles import NO_ACLS
from lunmapd.store.tree.refresh import refresh
from lunmapd.store.tree.snapshot import ANY_VERSION, Snapshot, with_head


class OvertakenError(StoreError):
    """Another client committed first, and nothing of this commit was made."""

    exit_code = Exit.CONFLICT

    def __init__(self) -> None:
        super().__init__("another client committed meanwhile, and nothing of this commit was made; try again")


class MadeCommit(Struct, frozen=True):
    """A commit that was made: its last revision, and the map after it.

    `after` is None if only a read shows it: after a large commit, in a rollout, and if the tree has
    out-of-band edits or documents that are not in canonical form.
    """

    revision: Revision
    after: Snapshot | None = None


class _Tree(Struct, frozen=True):
    """Where a commit is written: the session, the last snapshot, and the ACLs that new znodes inherit."""

    session: Session
    latest: Snapshot
    parent_acls: Mapping[str, AclEntries] = {}

    def extra(self) -> WriteOverhead:
        """Return what each write adds to the size of a transaction."""
        return WriteOverhead(len(self.session.root), max(map(acl_size, self.parent_acls.values()), default=0))


def publish(  # noqa: PLR0913 - where, what and how
    session: Session,
    latest: Snapshot,
    tip: Tip,
    content: Content,
    options: CommitOptions,
    *,
    parent_acls: Mapping[str, AclEntries] = NO_ACLS,
    leaving: tuple[Write, ...] = (),
) -> MadeCommit:
    """Commit `content` at the tip, in as many parts as needed; return the last revision.

    `parent_acls` (by path) were read together with `latest`, and need not be read again. The writes `leaving`
    are made by the first transaction.
    Raises OvertakenError; StoppedError or TakenOverError once the first part is written; and the errors of
    `commit`.
    """
    check_content(content, options.signature)
    whole = draft_commit(tip, _with_writes(content, leaving), options.signature)
    if options.trial is not None:
        whole = draft_rollout(whole, tip, latest, options.trial)
    tree = _Tree(session, latest, _read_acls(session, tip, content, parent_acls))
    if fits(whole, tree.extra()) and not tip.part:
        _send(tree, whole, options.committed)
        try:
            return MadeCommit(whole.revision, _after(latest, whole, content.after))
        except KeyboardInterrupt:
            raise CommitInterruptedError.after(whole.revision.revision) from None
    if options.trial is not None:
        raise RolloutTooLargeError
    return MadeCommit(_in_parts(tree, tip, content, options, leaving))


def _with_writes(content: Content, writes: tuple[Write, ...]) -> Content:
    return replace(content, writes=(*content.writes, *writes)) if writes else content


def _after(latest: Snapshot, done: Draft, lunmap: Lunmap | None) -> Snapshot | None:
    """Return the snapshot that a draft made of `latest`, with the map `lunmap` that was committed itself.

    The next commit of this client starts from it, and the rules know a map that is the same Python object.
    """
    if lunmap is None or done.head.rollout is not None:
        return None
    if latest.has_edits or latest.unreadable or latest.raw:
        return None
    # A multi() raises each version that it writes by one.
    now = with_head(latest, done.head, done.head_version + 1)
    return replace(now, digest=done.head.digest, lunmap=lunmap, versions=_versions(latest, done))


def _versions(latest: Snapshot, done: Draft) -> dict[str, int]:
    """Return the versions of the objects after a draft."""
    # A dict is copied quickly unless an entry of it was deleted.
    versions, written = dict(latest.versions), _versions_after(done.writes)
    for change in done.revision.changes:
        if change.path not in written:
            versions.pop(change.path, None)
    versions.update(written)
    return versions


def _versions_after(writes: Iterable[Write]) -> dict[str, int]:
    """Return the versions of the written objects by path, as far as they are known."""
    return {
        write.path: 0 if write.before is None else write.version + 1
        for write in writes
        if write.path.partition("/")[0] in SECTIONS
        and write.after is not None
        and (write.before is None or write.version != ANY_VERSION)
    }


def _read_acls(
    session: Session, tip: Tip, content: Content, known: Mapping[str, AclEntries]
) -> Mapping[str, AclEntries]:
    """Return the ACLs that the new znodes of a commit inherit, by path of the parent; read those not `known`.

    Raises OvertakenError if head has another version by then. The transaction would fail too, but all servers
    would agree on that and write it to their disks, while a read costs one server.
    """
    missing = sorted(_parents(content) - known.keys())
    if not missing:
        return known
    (head,), acls = read_stats_and_acls(session, (paths.HEAD,), missing)
    if head is not None and head.version != tip.version:
        raise OvertakenError
    return {**known, **{path: acl for path, acl in zip(missing, acls, strict=True) if acl is not None}}


def _parents(content: Content) -> set[str]:
    """Return the parents of the znodes that a commit creates; those below the root inherit nothing."""
    writes = (*(step.write for step in content.steps if step.write is not None), *content.writes)
    created = {write.path for write in writes if write.before is None and write.after is not None}
    return {paths.REVISIONS, *(path.rpartition("/")[0] for path in created)} - {""}


def _in_parts(
    tree: _Tree, tip: Tip, content: Content, options: CommitOptions, leaving: tuple[Write, ...]
) -> Revision:
    parts = divide(content.steps, options.signature, tree.extra())
    newest, written = None, 0
    try:
        for part in parts:
            allows = content.allows if written + 1 == len(parts) else None
            of_part = Content(part, allows=allows, writes=() if written else leaving)
            prepared = draft_part(tip, of_part, options.signature)
            with _stopping(tip, written, len(parts)):
                _send(tree, prepared)
            tip, newest, written = tip_after(tip, prepared), prepared.revision, written + 1
            options.progress(written, len(parts))
        assert newest is not None, "a commit without steps needs no parts"
        with _stopping(tip, len(parts), len(parts)):
            return release(tree.session, tree.latest, tip, newest, content, options)
    except KeyboardInterrupt as error:
        raise _interrupted(error, tip, written, len(parts)) from None


def _interrupted(error: KeyboardInterrupt, tip: Tip, written: int, total: int) -> KeyboardInterrupt:
    """Return the error for an interrupt after `written` parts; by `error` the next one may be written too."""
    is_sent = isinstance(error, CommitInterruptedError)
    if (is_sent and written == total) or not (is_sent or tip.part):
        return error
    return CommitInterruptedError.in_parts(written + is_sent, total)


@contextmanager
def _stopping(tip: Tip, done: int, total: int) -> Iterator[None]:
    """Translate an error once a part is written: into TakenOverError or StoppedError."""
    try:
        yield
    except StoreError as error:
        if not tip.part:
            raise
        if isinstance(error, OvertakenError):
            raise TakenOverError from None
        raise StoppedError(error, done, total) from error


def release(  # noqa: PLR0913, PLR0917 - where, what and how
    session: Session,
    latest: Snapshot,
    tip: Tip,
    newest: Revision,
    content: Content,
    options: CommitOptions,
) -> Revision:
    """Let nodes follow all parts up to `newest`, the revision of `tip`. Raises OvertakenError."""
    _send(_Tree(session, latest), draft_release(tip, newest, content), options.committed)
    return newest


def _send(tree: _Tree, prepared: Draft, committed: Callable[[int], None] = ignore_revision) -> None:
    failure = send_draft(tree.session, prepared, tree.parent_acls, committed)
    if failure is not None:
        raise _reason(tree.session, prepared, tree.latest, failure)


def _is_overtaken(path: str, error: Exception) -> bool:
    """Return whether another client made a commit, or passed this writer over in the commit queue."""
    if path == paths.HEAD:
        return isinstance(error, BadVersionError)
    return isinstance(error, NoNodeError) and path.startswith(f"{paths.QUEUE}/")


def _reason(session: Session, prepared: Draft, latest: Snapshot, failure: SendFailure) -> StoreError:
    match failure.path, failure.error:
        case path, error if _is_overtaken(path, error):
            return OvertakenError()
        case paths.HEAD, NoNodeError():
            return NotInitialisedError(session.path(paths.HEAD))
        case path, NoNodeError() if path == prepared.tree_id:
            # Raises the error if there is no tree any more, or another one.
            refresh(session, latest)
            return DamagedError(session.path(path), "it is missing")
        case path, NodeExistsError() if path == paths.revision(prepared.revision.revision):
            return DamagedError(session.path(path), "head doesn't know of this revision")
        case path, (BadVersionError() | NodeExistsError() | NoNodeError()):
            return EditedMeanwhileError(path)
        case path, error:
            return refused(error, path)
