"""The roles of principals: read from the ACLs of the tree, written as ACLs, and inherited by new znodes.

`lunmapd.core.base.access` computes the ACL of each znode from the roles (docs/adr/0008).
"""

from collections.abc import Collection, Mapping, Sequence

from kazoo.exceptions import NodeExistsError, NoNodeError

from lunmapd.core.base.access import MEMBERS, AclEntries, Roles, acl_at, roles_of
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NotInitialisedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.acl import (
    ScanProgress,
    ZnodeAcl,
    read_acls,
    read_znode_acls,
    request_set_acls,
    to_kazoo,
    walk_znodes,
)
from lunmapd.store.tree.znodes import list_children

_PASSES = 5

NO_ACLS: Mapping[str, AclEntries] = {}


def read_roles(session: Session) -> Roles:
    """Read the roles of all principals. Raises NotInitialisedError if there is no tree."""
    (root,) = read_acls(session, ("",))
    if root is None:
        raise NotInitialisedError(session.root)
    nodes = sorted(list_children(session, MEMBERS) or ())
    acls = read_acls(session, [paths.member_of(node) for node in nodes])
    return roles_of(root, {node: acl for node, acl in zip(nodes, acls, strict=True) if acl is not None})


def read_parent_acls(session: Session, parents: Collection[str]) -> dict[str, AclEntries]:
    """Read the ACLs of the znodes `parents`, by path; a missing znode is left out."""
    distinct = sorted(parents)
    acls = zip(distinct, read_acls(session, distinct), strict=True)
    return {path: acl for path, acl in acls if acl is not None}


def inherited_acls(
    session: Session, created: Collection[str], parent_acls: Mapping[str, AclEntries] = NO_ACLS
) -> dict[str, AclEntries]:
    """Return the ACL, by path, of each znode that one transaction is about to create: the ACL of its parent.

    `parent_acls` (by path) need not be read again. A znode directly below the root gets the ACL that follows
    from the roles, since nodes may not read the root. A znode whose parent is missing is left out.
    """
    parents = {path: _existing_parent(path, created) for path in created}
    missing = set(parents.values()) - parent_acls.keys() - {""}
    known = {**parent_acls, **read_parent_acls(session, missing)}
    acls = {path: known[parent] for path, parent in parents.items() if parent in known}
    tops = [path for path, parent in parents.items() if not parent]
    roles = read_roles(session) if tops else Roles()
    return acls | {path: acl_at(roles, path) for path in tops}


def _existing_parent(path: str, created: Collection[str]) -> str:
    """Return the closest ancestor of a znode that is not about to be created."""
    parent = path.rpartition("/")[0]
    return _existing_parent(parent, created) if parent in created else parent


def create_znode(session: Session, path: str, data: bytes = b"", acl: AclEntries | None = None) -> bool:
    """Create a znode of the tree, with the inherited ACL if `acl` is None; return False if it exists.

    Raises NoNodeError if its parent is missing.
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


def set_roles(session: Session, roles: Roles, progress: ScanProgress) -> int:
    """Give every znode the ACL that follows from `roles`; return the number of znodes that were changed.

    The root and the member znodes, from which the roles are read, come first: a later call completes the work
    of one that was interrupted. The walk is repeated until it changes nothing, since a commit that is made
    meanwhile may create znodes with an inherited older ACL.
    """
    changed = _set(session, roles, read_znode_acls(session, ("",))) + _set_members(session, roles)
    for _ in range(_PASSES):
        last = sum(_set(session, roles, window) for window in walk_znodes(session, progress=progress))
        changed += last
        if not last:
            break
    return changed


def count_strays(session: Session, roles: Roles, progress: ScanProgress) -> int:
    """Return the number of znodes whose ACL differs from the one that follows from `roles`."""
    return sum(len(_strays(roles, window)) for window in walk_znodes(session, progress=progress))


def _set_members(session: Session, roles: Roles) -> int:
    """Set the ACL of `members/<node>` for each node that has the role, and create missing ones."""
    wanted = [paths.member_of(node) for node in roles.nodes]
    znodes = read_znode_acls(session, wanted)
    missing = [path for path, znode in zip(wanted, znodes, strict=True) if znode is None]
    for path in missing:
        create_znode(session, path, acl=acl_at(roles, path))
    return len(missing) + _set(session, roles, znodes)


def _set(session: Session, roles: Roles, znodes: Sequence[ZnodeAcl | None]) -> int:
    strays = _strays(roles, znodes)
    requests = [request_set_acls(session.path(path), acl) for path, acl in strays.items()]
    return sum(reply is not None for reply in session.gather(requests, list(strays)))


def _strays(roles: Roles, znodes: Sequence[ZnodeAcl | None]) -> Mapping[str, AclEntries]:
    """Return the ACLs to set, by path."""
    acls = {znode.path: (znode.acl, acl_at(roles, znode.path)) for znode in znodes if znode is not None}
    return {path: desired for path, (observed, desired) in acls.items() if observed != desired}
