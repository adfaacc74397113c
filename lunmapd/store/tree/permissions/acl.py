"""The ACLs of znodes: read, walked, and translated to and from kazoo's types.

ZooKeeper keeps one ACL per znode; nothing is inherited (ZooKeeper Programmer's Guide, "ZooKeeper access
control using ACLs").
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from kazoo.client import KazooClient
from kazoo.protocol.states import ZnodeStat
from kazoo.security import ACL, Id
from msgspec import Struct

from lunmapd.core.base.permissions.access import AclEntries, Permission
from lunmapd.core.base.permissions.principals import Principal, Role
from lunmapd.store.session.multi_read import AclVersion
from lunmapd.store.session.session import FORBIDDEN, WINDOW, Forbidden, KazooCall, Reply, Session
from lunmapd.store.tree.znodes import request_children, request_stat

ScanProgress = Callable[[int], None]
"""Called after each window of a walk with the number of znodes read so far."""


class ZnodeAcl(Struct, frozen=True):
    """A znode with its path in the tree, its ACL, whether it has children, and whether it is an ephemeral.

    `acl` is None if this client may not read it. Then nothing else is known of the znode either: since 3.9.3
    ZooKeeper hides its metadata too (ZOOKEEPER-2590).
    """

    path: str
    acl: AclEntries | None
    has_children: bool = False
    ephemeral: bool = False


def to_kazoo(acl: AclEntries) -> list[ACL]:
    """Return an ACL as kazoo's list of entries."""
    return [ACL(may.value, Id(who.scheme, who.id)) for who, may in sorted(acl.items())]


def _from_kazoo(entries: Sequence[ACL]) -> AclEntries:
    acl: dict[Principal, Permission] = {}
    for entry in entries:
        who = Principal(entry.id.scheme, entry.id.id)
        acl[who] = acl.get(who, Permission(0)) | Permission(entry.perms)
    return acl


def read_acls(session: Session, paths: Sequence[str]) -> list[AclEntries | None]:
    """Read the ACLs of znodes, in the order of `paths`; None stands for a missing znode.

    ZooKeeper replaces the hash of a digest by "x" for a principal without ADMIN. Raises NotPermittedError.
    """
    replies = session.gather([_request_acls(session.path(path)) for path in paths], paths)
    return [_noted(session, path, reply) for path, reply in zip(paths, replies, strict=True)]


def _noted(
    session: Session, path: str, reply: tuple[Sequence[ACL], ZnodeStat] | ZnodeStat | None
) -> AclEntries | None:
    """Return the ACL of a reply, and note it for the session."""
    if not isinstance(reply, tuple) or isinstance(reply, ZnodeStat):
        return None
    entries, stat = reply
    acl = _from_kazoo(entries)
    session.known_acls[path] = (stat.czxid, stat.aversion), acl
    return acl


def known_acl(session: Session, path: str, version: AclVersion | None) -> AclEntries | None:
    """Return the ACL of a znode that has this version of it now; None if the session has not read it."""
    found = session.known_acls.get(path)
    return found[1] if found is not None and found[0] == version else None


def read_znode_acls(session: Session, paths: Sequence[str]) -> list[ZnodeAcl | None]:
    """Read znodes with their ACLs, in the order of `paths`; None stands for a missing znode."""
    replies = session.gather_permitted([_request_acls(session.path(path)) for path in paths])
    return [_znode(path, reply) for path, reply in zip(paths, replies, strict=True)]


def _znode(path: str, reply: tuple[Sequence[ACL], ZnodeStat] | Forbidden | None) -> ZnodeAcl | None:
    if reply is None:
        return None
    if reply is FORBIDDEN:
        return ZnodeAcl(path, None)
    acl, stat = reply
    return ZnodeAcl(path, _from_kazoo(acl), stat.numChildren > 0, stat.ephemeralOwner != 0)


def read_stats(session: Session, paths: Sequence[str]) -> list[ZnodeStat | Forbidden | None]:
    """Read the metadata of znodes, in the order of `paths`; None stands for a missing znode."""
    return session.gather_permitted([request_stat(session, path) for path in paths])


def read_stats_and_acls(
    session: Session, stats: Sequence[str], acls: Sequence[str]
) -> tuple[list[ZnodeStat | None], list[AclEntries | None]]:
    """Read at once the metadata of some znodes and the ACLs of others, each in the order of its paths.

    None stands for a missing znode. Raises NotPermittedError.
    """
    asks: list[KazooCall[ZnodeStat | None] | KazooCall[tuple[Sequence[ACL], ZnodeStat]]] = [
        *(request_stat(session, path) for path in stats),
        *(_request_acls(session.path(path)) for path in acls),
    ]
    replies = session.gather(asks, (*stats, *acls))
    found = [reply if isinstance(reply, ZnodeStat) else None for reply in replies[: len(stats)]]
    lists = [_noted(session, path, reply) for path, reply in zip(acls, replies[len(stats) :], strict=True)]
    return found, lists


def _request_acls(path: str) -> KazooCall[tuple[Sequence[ACL], ZnodeStat]]:
    def ask(client: KazooClient) -> Reply[tuple[Sequence[ACL], ZnodeStat]]:
        return client.get_acls_async(path)

    return ask


def request_set_acls(path: str, acl: AclEntries) -> KazooCall[ZnodeStat]:
    """Return the request that sets the ACL of the znode at the absolute `path`."""

    def ask(client: KazooClient) -> Reply[ZnodeStat]:
        return client.set_acls_async(path, to_kazoo(acl))

    return ask


def walk_znodes(
    session: Session,
    top: str = "",
    *,
    skip: Collection[str] = (),
    hidden: Callable[[str], None] | None = None,
) -> Iterator[list[ZnodeAcl]]:
    """Yield the znode `top` and all znodes below it, parents first, at most `WINDOW` at a time.

    The znodes `skip`, and those below them, are left out; so is a znode that is deleted during the walk.
    `hidden` is called with each znode whose ACL or children this client may not read; without it, such a
    znode raises NotPermittedError.
    """
    level = [top]
    while level:
        below: list[str] = []
        for start in range(0, len(level), WINDOW):
            window = [znode for znode in read_znode_acls(session, level[start : start + WINDOW]) if znode]
            for znode in window:
                if znode.acl is None:
                    _hide(session, znode.path, hidden)
            yield window
            below += _list_below(session, [znode.path for znode in window if znode.has_children], hidden)
        level = [path for path in below if path not in skip]


def _list_below(
    session: Session, parents: Sequence[str], hidden: Callable[[str], None] | None
) -> Iterator[str]:
    """Yield the paths of all children of `parents`."""
    replies = session.gather_permitted([request_children(session, path) for path in parents])
    for parent, names in zip(parents, replies, strict=True):
        if names is FORBIDDEN:
            _hide(session, parent, hidden)
        elif names is not None:
            yield from (f"{parent}/{name}".lstrip("/") for name in sorted(names))


def _hide(session: Session, path: str, hidden: Callable[[str], None] | None) -> None:
    if hidden is None:
        raise session.not_permitted(path, Role.ADMIN)
    hidden(path)
