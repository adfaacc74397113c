"""Putting a backup back as a new incarnation of its tree, which nodes accept only once that is confirmed.

meta and head come last, in one transaction, so that a restore that stops in the middle leaves no tree at all, and nodes
go on with what they have.
"""

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from lunmapd.core.access import acl_at, acl_size
from lunmapd.core.backup import Backup
from lunmapd.core.changes import Head, Revision
from lunmapd.core.documents import DocumentError, decode, encode
from lunmapd.store import paths
from lunmapd.store.acl import read_roles
from lunmapd.store.claim import Claim
from lunmapd.store.draft import Signature, Write
from lunmapd.store.errors import NewerSchemaError, NotInitialisedError
from lunmapd.store.init import make_chroot
from lunmapd.store.restore_errors import BadBackupError, RestoreBusyError, TreeExistsError
from lunmapd.store.session import Session
from lunmapd.store.sizes import Extra, batches
from lunmapd.store.snapshot import MIN_SCHEMA, SCHEMA, Meta, sections_of
from lunmapd.store.top import Top, children, read_top

T = TypeVar("T")


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
    there = _top(session)
    _check_replaceable(session, there, meta.cluster, replaced)
    known = there.meta.incarnation if there else 0
    meta = replace(meta, incarnation=max(meta.incarnation, known) + 1)
    claim = Claim(session)
    claim.take(there)
    claim.clear()
    acl = acl_at(read_roles(session), paths.HEAD)
    for batch in batches(_content(session, meta, backup), Extra(len(session.root), acl_size(acl))):
        claim.do(batch)
    _finish(session, claim, meta, _recorded(head, signature))
    return meta


def _read(backup: Backup) -> tuple[Meta, Head]:
    meta = _document(backup, paths.META, Meta)
    if meta.schema > SCHEMA:
        raise NewerSchemaError(meta.schema, SCHEMA)
    if meta.schema < MIN_SCHEMA:
        raise BadBackupError(paths.META, f"there never was a schema {meta.schema}")
    return meta, _document(backup, paths.HEAD, Head)


def _document(backup: Backup, path: str, kind: type[T]) -> T:
    try:
        return decode(backup.znodes.get(path, b""), kind)
    except DocumentError as error:
        raise BadBackupError(path, str(error)) from None


def _top(session: Session) -> Top | None:
    try:
        return read_top(session)
    except NotInitialisedError:
        return None


def _check_replaceable(session: Session, there: Top | None, cluster: str, replaced: str | None) -> None:
    """Refuse to take away what is there, unless it was named."""
    if not set(children(session, "") or ()) - {paths.MEMBERS}:
        return
    owner = there.meta.cluster if there else cluster
    if replaced != owner:
        raise TreeExistsError(session.root, owner, whole=there is not None)


def _content(session: Session, meta: Meta, backup: Backup) -> Iterator[Write]:
    """List all but meta and head, each parent before what is below it."""
    parents = {*sections_of(meta.schema), paths.REVISIONS, paths.CHECKPOINTS, paths.MEMBERS}
    if meta.schema < SCHEMA:
        parents |= set(paths.FORMER)
    present = set(children(session, "") or ())
    yield from (Write(parent, None, b"") for parent in sorted(parents - present))
    for path in sorted(backup.znodes.keys() - {paths.META, paths.HEAD}):
        yield Write(path, None, backup.znodes[path])


def _recorded(head: Head, signature: Signature) -> Revision:
    return Revision(head.revision + 1, head.digest, signature.author, signature.time(), signature.message, ())


def _finish(session: Session, claim: Claim, meta: Meta, record: Revision) -> None:
    """Make meta and head. Nothing is confirmed in the new incarnation, whatever was in the old one."""
    failure = claim.finish(
        (
            Write(paths.revision(record.revision), None, encode(record)),
            Write(paths.META, None, encode(meta)),
            Write(paths.identity(meta.cluster, meta.incarnation), None, b""),
            Write(paths.HEAD, None, encode(Head(record.revision, record.digest))),
        )
    )
    there = _top(session)
    if failure is not None and (there is None or there.meta != meta):
        raise RestoreBusyError(failure.path)
