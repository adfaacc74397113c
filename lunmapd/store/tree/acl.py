"""The ACLs of the tree: handed down to new znodes, read as roles, and set from roles."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat
from kazoo.security import ACL, Id
from msgspec import Struct

from lunmapd.core.base.access import Acl, Identity, May, Roles, acl_at, roles_of
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NotInitialisedError
from lunmapd.store.session.session import WINDOW, Reply, Request, Session

_PASSES = 5

# ZooKeeper puts everybody in place of it whom the session has proven to be.
CREATOR = Identity("auth", "")

NO_ACLS: Mapping[str, Acl] = {}

ScanProgress = Callable[[int], None]
"""Is told now and then how many znodes were looked at."""


class _ZnodeAcl(Struct, frozen=True):
    """A znode on a walk: its path, ACL, and whether it has children."""

    path: str
    acl: Acl
    children: bool


def to_kazoo(acl: Acl) -> list[ACL]:
    """Make kazoo's list of an ACL."""
    return [ACL(may.value, Id(who.scheme, who.id)) for who, may in sorted(acl.items())]


def read_acls(session: Session, wanted: Sequence[str]) -> list[Acl | None]:
    """Read ACLs; None stands for a missing znode. Hashes of digests are hidden from those who are no admins."""
    return [None if found is None else found.acl for found in _read_znode_acls(session, wanted)]


def _read_znode_acls(session: Session, wanted: Sequence[str]) -> list[_ZnodeAcl | None]:
    answers = session.gather([_get_acls(session.path(path)) for path in wanted], wanted)
    return [
        None if answer is None else _ZnodeAcl(path, _from_kazoo(answer[0]), answer[1].numChildren > 0)
        for path, answer in zip(wanted, answers, strict=True)
    ]


def _from_kazoo(entries: Sequence[ACL]) -> Acl:
    found: dict[Identity, May] = {}
    for entry in entries:
        who = Identity(entry.id.scheme, entry.id.id)
        found[who] = found.get(who, May(0)) | May(entry.perms)
    return found


def _get_acls(path: str) -> Request[tuple[Sequence[ACL], ZnodeStat]]:
    def ask(client: KazooClient) -> Reply[tuple[Sequence[ACL], ZnodeStat]]:
        return client.get_acls_async(path)

    return ask


def read_parent_acls(session: Session, above: Collection[str]) -> dict[str, Acl]:
    """Read the ACLs of znodes, by path, for those that are made below them; a missing one is left out."""
    distinct = sorted(above)
    found = zip(distinct, read_acls(session, distinct), strict=True)
    return {path: acl for path, acl in found if acl is not None}


def inherited_acls(
    session: Session, made: Collection[str], handed: Mapping[str, Acl] = NO_ACLS
) -> dict[str, Acl]:
    """Return the ACLs for znodes that one transaction is about to make: each has that of the one above it.

    What `handed` has need not be read. What is made directly below the root has what the roles ask for there, since nodes
    can't read the root. A znode whose parent is missing has none.
    """
    above = {path: _above(path, made) for path in made}
    known = {**handed, **read_parent_acls(session, set(above.values()) - handed.keys() - {""})}
    found = {path: known[parent] for path, parent in above.items() if parent in known}
    tops = [path for path, parent in above.items() if not parent]
    roles = read_roles(session) if tops else Roles()
    return found | {path: acl_at(roles, path) for path in tops}


def _above(path: str, made: Collection[str]) -> str:
    """Return the parent of a znode, or the next one above it that is not just being made."""
    parent = path.rpartition("/")[0]
    return _above(parent, made) if parent in made else parent


def create_znode(session: Session, path: str, data: bytes = b"", acl: Acl | None = None) -> bool:
    """Make a znode of the tree, by default with the ACL that is handed down to it; False when it is there already.

    Lets pass NoNodeError when its parent is missing.
    """
    given = inherited_acls(session, (path,)).get(path) if acl is None else acl
    if given is None:
        raise NoNodeError
    try:
        session.repeat(
            lambda client: client.create_async(session.path(path), data, acl=to_kazoo(given)), path
        )
    except NodeExistsError:
        return False
    return True


def read_roles(session: Session) -> Roles:
    """Read everybody's role. Raises NotInitialisedError when there is no tree."""
    (root,) = read_acls(session, ("",))
    if root is None:
        raise NotInitialisedError(session.root)
    nodes = _members(session)
    acls = read_acls(session, [paths.member_of(node) for node in nodes])
    return roles_of(root, {node: acl for node, acl in zip(nodes, acls, strict=True) if acl is not None})


def _members(session: Session) -> list[str]:
    path = session.path(paths.MEMBERS)
    try:
        return sorted(session.repeat(lambda client: client.get_children_async(path), paths.MEMBERS))
    except NoNodeError:
        return []


def set_roles(session: Session, roles: Roles, said: ScanProgress) -> int:
    """Give every znode the ACL that follows from the roles; returns how many were changed.

    What the roles are read back from comes first, so that after a crash any later call completes the work. It is
    repeated until nothing is left, for a commit may have handed down an older ACL meanwhile.
    """
    changed = _set(session, roles, _read_znode_acls(session, ("",))) + _set_members(session, roles)
    for _ in range(_PASSES):
        last = sum(_set(session, roles, part) for part in _walk(session, said))
        changed += last
        if not last:
            break
    return changed


def count_strays(session: Session, roles: Roles, said: ScanProgress) -> int:
    """Count the znodes whose ACL is not the one that follows from the roles."""
    return sum(len(_strays(roles, part)) for part in _walk(session, said))


def _set_members(session: Session, roles: Roles) -> int:
    """Set the ACL of each `members/<node>`, and make those that are missing."""
    wanted = [paths.member_of(node) for node in roles.nodes]
    found = _read_znode_acls(session, wanted)
    missing = [path for path, item in zip(wanted, found, strict=True) if item is None]
    for path in missing:
        create_znode(session, path, acl=acl_at(roles, path))
    return len(missing) + _set(session, roles, found)


def _walk(session: Session, said: ScanProgress) -> Iterator[list[_ZnodeAcl]]:
    """Yield all znodes of the tree, parents first, some at a time; those that vanish meanwhile are left out."""
    level, seen = [""], 0
    while level:
        below: list[str] = []
        for start in range(0, len(level), WINDOW):
            part = [
                found
                for found in _read_znode_acls(session, level[start : start + WINDOW])
                if found is not None
            ]
            yield part
            below += _children(session, [found.path for found in part if found.children])
            seen += len(part)
            said(seen)
        level = below


def _children(session: Session, parents: Sequence[str]) -> list[str]:
    answers = session.gather([_get_children(session.path(path)) for path in parents], parents)
    return [
        f"{parent}/{name}".lstrip("/")
        for parent, names in zip(parents, answers, strict=True)
        for name in sorted(names or ())
    ]


def _get_children(path: str) -> Request[list[str]]:
    def ask(client: KazooClient) -> Reply[list[str]]:
        return client.get_children_async(path)

    return ask


def _set(session: Session, roles: Roles, found: Sequence[_ZnodeAcl | None]) -> int:
    strays = _strays(roles, found)
    asks = [_set_acls(session.path(path), acl) for path, acl in strays.items()]
    return sum(answer is not None for answer in session.gather(asks, list(strays)))


def _strays(roles: Roles, found: Sequence[_ZnodeAcl | None]) -> Mapping[str, Acl]:
    """Return the ACLs that are to be set."""
    wanted = {item.path: (item.acl, acl_at(roles, item.path)) for item in found if item is not None}
    return {path: want for path, (have, want) in wanted.items() if have != want}


def _set_acls(path: str, acl: Acl) -> Request[ZnodeStat]:
    def ask(client: KazooClient) -> Reply[ZnodeStat]:
        return client.set_acls_async(path, to_kazoo(acl))

    return ask
