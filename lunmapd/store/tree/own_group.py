"""The znodes of a floating portal group that a node of its list writes."""

from kazoo.exceptions import BadVersionError, NoNodeError

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.floating.documents import Report, Wish
from lunmapd.core.floating.lease import LeaseRecord
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from lunmapd.store.tree.permissions.roles import create_znode
from lunmapd.store.tree.znodes import request_stat


def write_lease(session: Session, group: GroupId, record: LeaseRecord, version: int) -> int | None:
    """Write the record where its znode still has `version`; return the new version.

    None if another client was faster. Raises LostError if it is unknown whether the record was written, and
    the errors of `Session.once`.
    """
    path = paths.lease_of(group)
    try:
        stat = session.once(
            lambda client: client.set_async(session.path(path), encode(record), version), path
        )
    except (BadVersionError, NoNodeError):
        return None
    return stat.version


def write_wish(session: Session, group: GroupId, wish: Wish) -> bool:
    """Write the node that is to own a group, which may be none; return whether there is a znode for it."""
    path, data = paths.wish_of(group), encode(wish) if wish.node else b""
    return _set(session, path, data)


def write_report(session: Session, group: GroupId, node: str, report: Report) -> bool:
    """Write how well `node` can own a group; return whether there is a znode for it."""
    return _set(session, paths.candidate_of(group, node), encode(report))


def _set(session: Session, path: str, data: bytes) -> bool:
    try:
        session.repeat(lambda client: client.set_async(session.path(path), data), path)
    except NoNodeError:
        return False
    return True


def appear(session: Session, group: GroupId, node: str) -> bool:
    """Make sure that the ephemeral of `node` in a group belongs to this session.

    Returns whether there is a znode for it. Only the daemon of the node writes there, so an ephemeral of
    another session is that of an earlier run.
    """
    path = paths.presence_of(group, node)
    (stat,) = session.gather([request_stat(session, path)], (path,))
    if stat is not None and stat.ephemeralOwner == session.session_id:
        return True
    if stat is not None:
        disappear(session, group, node)
    try:
        return create_znode(session, path, ephemeral=True)
    except NoNodeError:
        return False


def disappear(session: Session, group: GroupId, node: str) -> None:
    """Delete the ephemeral of `node` in a group."""
    path = paths.presence_of(group, node)
    try:
        session.repeat(lambda client: client.delete_async(session.path(path)), path)
    except NoNodeError:
        return
