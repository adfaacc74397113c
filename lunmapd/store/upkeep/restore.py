"""Putting a backup back as a new incarnation of its tree, which nodes accept only once that is confirmed.

The tree's head goes first and comes last, so that a restore that stops in the middle leaves no tree at all, and nodes go
on with what they have.
"""

from collections.abc import Iterator
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.access import MEMBERS, acl_at, acl_size
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.history.backup import Backup
from lunmapd.core.history.changes import Head, Revision
from lunmapd.store.commit.draft import Signature, Write
from lunmapd.store.commit.sizes import WriteOverhead, batches
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NewerSchemaError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.roles import read_roles
from lunmapd.store.tree.snapshot import MIN_SCHEMA, SCHEMA, Meta, sections_of
from lunmapd.store.tree.znodes import list_children, read_znodes
from lunmapd.store.upkeep.init import make_chroot
from lunmapd.store.upkeep.restore_errors import BadBackupError, RestoreBusyError, TreeExistsError
from lunmapd.store.upkeep.restore_lock import RestoreLock

_T = TypeVar("_T")


def restore(
    session: Session,
    backup: Backup,
    signature: Signature,
    replaced: str | None = None,
    *,
    closed: bool = False,
) -> Meta:
    """Make the tree of a backup, with a new incarnation, in an empty chroot or in place of the tree that there is.

    To replace a tree, `replaced` must be the uuid of its cluster. What the nodes say of themselves stays. The restore is
    recorded as a revision after those of the backup. Its znodes get the ACLs that the roles ask for which the chroot has; for
    `closed` see `make_chroot`. Raises BadBackupError, NewerSchemaError, TreeExistsError, and
    RestoreBusyError when somebody else is at work.
    """
    meta, head = _read(backup)
    make_chroot(session, closed=closed)
    there = _read_existing(session)
    _check_replaceable(session, there, meta, replaced)
    known = there.meta.incarnation if there.meta else 0
    meta = replace(meta, incarnation=max(meta.incarnation, known) + 1, restored=head.revision)
    claim = RestoreLock(session)
    claim.take(there.head_version)
    claim.clear()
    acl = acl_at(read_roles(session), paths.HEAD)
    for batch in batches(_content(session, meta, backup), WriteOverhead(len(session.root), acl_size(acl))):
        claim.do(batch)
    _finish(session, claim, there, meta, _recorded(head, signature))
    return meta


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
    """What stands at the top now: the bytes of meta and what they say, and the version of head; None what is missing.

    A tree that is not whole has no head.
    """

    data: bytes | None
    meta: Meta | None
    head_version: int | None


def _read_existing(session: Session) -> _Existing:
    meta, head = read_znodes(session, (paths.META, paths.HEAD))
    try:
        known = None if meta is None else decode(meta.data, Meta)
    except DocumentError:
        known = None
    return _Existing(None if meta is None else meta.data, known, None if head is None else head.version)


def _check_replaceable(session: Session, there: _Existing, meta: Meta, replaced: str | None) -> None:
    """Refuse to take away what is there, unless its cluster was named."""
    cluster = (there.meta or meta).cluster
    if replaced != cluster and set(list_children(session, "") or ()) - {MEMBERS}:
        raise TreeExistsError(session.root, cluster, whole=there.head_version is not None)


def _content(session: Session, meta: Meta, backup: Backup) -> Iterator[Write]:
    """List all but meta and head, each parent before what is below it."""
    parents = {*sections_of(meta.schema), paths.REVISIONS, paths.CHECKPOINTS, MEMBERS}
    if meta.schema < SCHEMA:
        parents |= set(paths.FORMER)
    present = set(list_children(session, "") or ())
    yield from (Write(parent, None, b"") for parent in sorted(parents - present))
    for path in sorted(backup.znodes.keys() - {paths.META, paths.HEAD}):
        yield Write(path, None, backup.znodes[path])


def _recorded(head: Head, signature: Signature) -> Revision:
    return Revision(head.revision + 1, head.digest, signature.author, signature.time(), signature.message, ())


def _finish(session: Session, claim: RestoreLock, there: _Existing, meta: Meta, record: Revision) -> None:
    """Make meta and head. Nothing is confirmed in the new incarnation, whatever was in the old one."""
    failure = claim.finish(
        (
            Write(paths.revision(record.revision), None, encode(record)),
            Write(paths.META, there.data, encode(meta)),
            Write(paths.tree_id(meta.cluster, meta.incarnation), None, b""),
            Write(paths.HEAD, None, encode(Head(record.revision, record.digest))),
        )
    )
    if failure is not None and _read_existing(session).meta != meta:
        raise RestoreBusyError(failure.path)
