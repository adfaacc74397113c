"""The ACLs of znodes: read, walked, and translated to and from kazoo's types.

ZooKeeper keeps one ACL per znode; nothing is inherited (ZooKeeper Programmer's Guide, "ZooKeeper access
control using ACLs").
"""

from collections.abc import Callable, Iterator, Sequence

from kazoo.client import KazooClient
from kazoo.protocol.states import ZnodeStat
from kazoo.security import ACL, Id
from msgspec import Struct

from lunmapd.core.base.access import AclEntries, Permission, Principal
from lunmapd.store.session.session import WINDOW, KazooCall, Reply, Session
from lunmapd.store.tree.znodes import request_children

# ZooKeeper replaces this id with all principals that the session has authenticated as (scheme "auth").
CREATOR = Principal("auth", "")

ScanProgress = Callable[[int], None]
"""Called after each window of a walk with the number of znodes read so far."""


class ZnodeAcl(Struct, frozen=True):
    """A znode with its path in the tree, its ACL, and whether it has children."""

    path: str
    acl: AclEntries
    has_children: bool


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

    ZooKeeper replaces the hash of a digest by "x" for a principal without ADMIN.
    """
    return [None if znode is None else znode.acl for znode in read_znode_acls(session, paths)]


def read_znode_acls(session: Session, paths: Sequence[str]) -> list[ZnodeAcl | None]:
    """Read znodes with their ACLs, in the order of `paths`; None stands for a missing znode."""
    replies = session.gather([_request_acls(session.path(path)) for path in paths], paths)
    return [
        None if reply is None else ZnodeAcl(path, _from_kazoo(reply[0]), reply[1].numChildren > 0)
        for path, reply in zip(paths, replies, strict=True)
    ]


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
    session: Session, top: str = "", progress: ScanProgress = lambda _: None
) -> Iterator[list[ZnodeAcl]]:
    """Yield the znode `top` and all znodes below it, parents first, at most `WINDOW` at a time.

    A znode that is deleted during the walk is left out.
    """
    level, count = [top], 0
    while level:
        below: list[str] = []
        for start in range(0, len(level), WINDOW):
            znodes = read_znode_acls(session, level[start : start + WINDOW])
            window = [znode for znode in znodes if znode is not None]
            yield window
            below += _list_below(session, [znode.path for znode in window if znode.has_children])
            count += len(window)
            progress(count)
        level = below


def _list_below(session: Session, parents: Sequence[str]) -> list[str]:
    """Return the paths of all children of `parents`."""
    replies = session.gather([request_children(session, path) for path in parents], parents)
    return [
        f"{parent}/{name}".lstrip("/")
        for parent, names in zip(parents, replies, strict=True)
        for name in sorted(names or ())
    ]
