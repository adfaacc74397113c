"""Restoring a backup as a new incarnation of its tree, which nodes accept only after a confirmation.

The head is deleted first and created last: a restore that stops half-way leaves no tree, and nodes keep their
effective map.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.permissions.access import acl_at, acl_size
from lunmapd.core.base.permissions.principals import FLOATING, MEMBERS, ROLLOUTS
from lunmapd.core.history.backup import Backup
from lunmapd.core.history.changes import Head, Revision
from lunmapd.store.commit.commit_options import CommitOptions
from lunmapd.store.commit.draft import Signature, Write
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NewerSchemaError
from lunmapd.store.session.interrupt import interrupt_leaves
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.roles import read_roles
from lunmapd.store.tree.snapshot import MIN_SCHEMA, SCHEMA, Meta, sections_of
from lunmapd.store.tree.znodes import list_children, read_znodes
from lunmapd.store.upkeep.init import make_chroot
from lunmapd.store.upkeep.restore_errors import BadBackupError, RestoreBusyError, TreeExistsError
from lunmapd.store.upkeep.restore_ledger import RestoredPoint, restored_ledger, try_read
from lunmapd.store.upkeep.restore_lock import RestoreLock

_T = TypeVar("_T")


def restore(
    session: Session,
    backup: Backup,
    options: CommitOptions,
    replaced: str | None = None,
    *,
    closed: bool = False,
) -> Meta:
    """Make the tree of a backup, with a new incarnation, in an empty chroot or in place of the existing tree.

    To replace a tree, `replaced` must be the uuid of its cluster. The znodes of the nodes stay. The restore
    is recorded as a revision after those of the backup, and the ledger has what either tree had. New znodes
    get the ACLs that follow from the roles of the chroot; for `closed` see `make_chroot`. Raises
    BadBackupError, NewerSchemaError, TreeExistsError, InvalidInputError if the backup leads LUN numbers, port
    ids or TPG tags to something else than the existing tree did, and RestoreBusyError if another client
    writes meanwhile.
    """
    meta, head = _read(backup)
    make_chroot(session, closed=closed)
    existing = _read_existing(session)
    _check_replaceable(session, existing, meta, replaced)
    known = existing.meta.incarnation if existing.meta else 0
    meta = replace(meta, incarnation=max(meta.incarnation, known) + 1, restored=head.revision)
    tree = None if existing.head_version is None else try_read(session)
    kept = restored_ledger(session, backup, tree, RestoredPoint(meta.cluster, head.revision), options)
    cluster = (existing.meta or meta).cluster
    with interrupt_leaves(f"no node follows the tree until it is restored with '--replace {cluster}'"):
        lock = RestoreLock(session)
        lock.take(existing.head_version)
        _write(session, lock, kept, _content(session, meta, backup))
        _finish(session, lock, existing, meta, _recorded(head, options.signature))
    return meta


def _write(session: Session, lock: RestoreLock, kept: Iterable[Write], content: Iterable[Write]) -> None:
    """Write the ledger first: a restore that stops half-way leaves nothing else of the existing tree."""
    acl = acl_at(read_roles(session), paths.HEAD)
    extra = WriteOverhead(len(session.root), acl_size(acl))
    for batch in batches(kept, extra):
        lock.write(batch)
    lock.clear()
    for batch in batches(content, extra):
        lock.write(batch)


def _read(backup: Backup) -> tuple[Meta, Head]:
    meta = _document(backup, paths.META, Meta)
    if meta.schema > SCHEMA:
        raise NewerSchemaError(meta.schema, SCHEMA)
    if meta.schema < MIN_SCHEMA:
        raise BadBackupError(paths.META, f"there never was a schema {meta.schema}")
    return meta, _document(backup, paths.HEAD, Head)


def _document(backup: Backup, path: str, kind: type[_T]) -> _T:
    try:
        return decode(backup.znodes.get(path, b""), kind)
    except DocumentError as error:
        raise BadBackupError(path, str(error)) from None


class _Existing(Struct, frozen=True):
    """The existing top of the tree: the bytes of meta, the decoded meta, and the version of head.

    Each is None if missing; `meta` also if it can't be decoded. A tree that is not whole has no head.
    """

    data: bytes | None
    meta: Meta | None
    head_version: int | None


def _read_existing(session: Session) -> _Existing:
    meta, head = read_znodes(session, (paths.META, paths.HEAD))
    try:
        decoded = None if meta is None else decode(meta.data, Meta)
    except DocumentError:
        decoded = None
    return _Existing(None if meta is None else meta.data, decoded, None if head is None else head.version)


def _check_replaceable(session: Session, existing: _Existing, meta: Meta, replaced: str | None) -> None:
    """Check that the chroot holds only `members` and `floating`, or that `replaced` is its cluster.

    Raises TreeExistsError.
    """
    cluster = (existing.meta or meta).cluster
    if replaced != cluster and set(list_children(session, "") or ()) - {MEMBERS, FLOATING}:
        raise TreeExistsError(session.root, cluster, whole=existing.head_version is not None)


def _content(session: Session, meta: Meta, backup: Backup) -> Iterator[Write]:
    """Yield the writes of everything except meta and head, parents first."""
    parents = {*sections_of(meta.schema), paths.REVISIONS, paths.CHECKPOINTS, paths.QUEUE, MEMBERS, ROLLOUTS}
    if meta.schema < SCHEMA:
        parents |= set(paths.FORMER)
    present = set(list_children(session, "") or ())
    yield from (Write(parent, None, b"") for parent in sorted(parents - present))
    others = (path for path in backup.znodes if not path.startswith(f"{paths.ADDRESSES}/"))
    for path in sorted(set(others) - {paths.META, paths.HEAD}):
        yield Write(path, None, backup.znodes[path])


def _recorded(head: Head, signature: Signature) -> Revision:
    return Revision(head.revision + 1, head.digest, signature.author, signature.time(), signature.message, ())


def _finish(session: Session, lock: RestoreLock, existing: _Existing, meta: Meta, record: Revision) -> None:
    """Create meta and head. Nothing is confirmed in the new incarnation."""
    failure = lock.finish(
        (
            Write(paths.revision(record.revision), None, encode(record)),
            Write(paths.META, existing.data, encode(meta)),
            Write(paths.tree_id(meta.cluster, meta.incarnation), None, b""),
            Write(paths.HEAD, None, encode(Head(record.revision, record.digest, ledger=True))),
        )
    )
    if failure is not None and _read_existing(session).meta != meta:
        raise RestoreBusyError(failure.path)
