"""The roles of principals: read from the ACLs of the tree, and inherited by new znodes.

`lunmapd.core.base.permissions.access` computes the ACL of each znode from the roles (docs/adr/0008).
"""

from collections.abc import Collection, Mapping

from kazoo.exceptions import NodeExistsError, NoNodeError
from msgspec.structs import replace

from lunmapd.core.base.permissions.access import AclEntries, Permission, Roles, acl_at, roles_of
from lunmapd.core.base.permissions.acl_entries import inherit
from lunmapd.core.base.permissions.principals import MEMBERS, ROLLOUTS
from lunmapd.store.session import paths
from lunmapd.store.session.errors import NotInitialisedError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import read_lists
from lunmapd.store.tree.permissions.acl import read_acls, read_znode_acls, to_kazoo
from lunmapd.store.tree.znodes import list_children

_BY_ROLES = {"", ROLLOUTS}
"""The parents whose ACLs their children do not inherit."""

NO_ACLS: Mapping[str, AclEntries] = {}


def read_roles(session: Session) -> Roles:
    """Read the roles of all principals. Raises NotInitialisedError if there is no tree.

    A node whose member znode refuses this client has no role here.
    """
    root, meta = read_acls(session, ("", paths.META))
    if root is None:
        raise NotInitialisedError(session.root)
    nodes = sorted(list_children(session, MEMBERS) or ())
    znodes = read_znode_acls(session, [paths.member_of(node) for node in nodes])
    members = {paths.owner(znode.path): znode.acl or {} for znode in znodes if znode is not None}
    return replace(roles_of(root, members, meta), groups=read_lists(session))


def read_parent_acls(session: Session, parents: Collection[str]) -> dict[str, AclEntries]:
    """Read the ACLs of the znodes `parents`, by path; a missing znode is left out."""
    distinct = sorted(parents)
    acls = zip(distinct, read_acls(session, distinct), strict=True)
    return {path: acl for path, acl in acls if acl is not None}


def inherited_acls(
    session: Session, created: Collection[str], parent_acls: Mapping[str, AclEntries] = NO_ACLS
) -> dict[str, AclEntries]:
    """Return the ACL, by path, of each znode that one transaction is about to create: the ACL of its parent.

    See `inherit` for parents with hidden hashes. `parent_acls` (by path) need not be read again. A znode
    directly below the root gets the ACL that follows from the roles, since nodes may not read the root, and
    so does the znode of a rollout, whose ACL is not that of its parent. A znode whose parent is missing is
    left out.
    """
    parents = {path: _existing_parent(path, created) for path in created}
    missing = set(parents.values()) - parent_acls.keys() - _BY_ROLES
    known = {**parent_acls, **read_parent_acls(session, missing)}
    own = Permission.READ | Permission.WRITE
    acls: dict[str, AclEntries] = {
        path: inherit(known[parent], own) for path, parent in parents.items() if parent in known
    }
    tops = [path for path, parent in parents.items() if parent in _BY_ROLES]
    roles = read_roles(session) if tops else Roles()
    return acls | {path: acl_at(roles, path) for path in tops}


def _existing_parent(path: str, created: Collection[str]) -> str:
    """Return the closest ancestor of a znode that is not about to be created."""
    parent = path.rpartition("/")[0]
    return _existing_parent(parent, created) if parent in created else parent


def create_znode(
    session: Session,
    path: str,
    data: bytes = b"",
    acl: AclEntries | None = None,
    *,
    ephemeral: bool = False,
) -> bool:
    """Create a znode of the tree, with the inherited ACL if `acl` is None; return False if it exists.

    Raises NoNodeError if its parent is missing.
    """
    given = inherited_acls(session, (path,)).get(path) if acl is None else acl
    if given is None:
        raise NoNodeError
    try:
        session.repeat(
            lambda client: client.create_async(
                session.path(path), data, acl=to_kazoo(given), ephemeral=ephemeral
            ),
            path,
        )
    except NodeExistsError:
        return False
    return True
