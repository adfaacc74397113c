"""Writing the roles of principals as ACLs, and finding the ACLs that do not follow from them.

A node chooses the ACLs of the znodes that it creates below its member znode. So none of these may stop the
work on others: an admin may always delete them, unless they have children that only the node can list.
"""

from collections.abc import Callable, Iterator, Sequence

from kazoo.exceptions import NoNodeError, NotEmptyError
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.permissions.access import Permission, Roles, acl_at
from lunmapd.core.base.permissions.acl_entries import AclDifference, compare_acls
from lunmapd.core.base.permissions.principals import MEMBERS, WORLD, Role
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.interrupt import interrupt_leaves
from lunmapd.store.session.session import FORBIDDEN, Session
from lunmapd.store.tree.permissions.acl import (
    ScanProgress,
    ZnodeAcl,
    read_stats,
    read_znode_acls,
    request_set_acls,
    walk_znodes,
)
from lunmapd.store.tree.permissions.roles import create_znode

_PASSES = 5


class RolesChange(Struct, frozen=True):
    """The result of writing roles: the number of znodes that were changed, and the paths of those left.

    A znode is left if this client may neither set its ACL nor delete it.
    """

    changed: int
    left: tuple[str, ...] = ()


def set_roles(session: Session, roles: Roles, progress: ScanProgress) -> RolesChange:
    """Give every znode the ACL that follows from `roles`.

    The root and meta, from which the roles are read, come first, then the map, and the znodes of nodes last:
    a principal that loses a role can't read the map any more, also if its own znodes keep their ACL. A later
    call completes the work of one that was interrupted. The walk is repeated until it changes nothing, since
    a commit that is made meanwhile may create znodes with an inherited older ACL.
    """
    with interrupt_leaves("some znodes may have the former ACL: repeat the command"):
        return _set_everywhere(session, roles, progress)


def _set_everywhere(session: Session, roles: Roles, progress: ScanProgress) -> RolesChange:
    first = _set(session, roles, read_znode_acls(session, ("", paths.META)))
    changed = first.changed + _make_members(session, roles)
    last = first
    for _ in range(_PASSES):
        last = _set_all(session, roles, progress)
        changed += last.changed
        if not last.changed:
            break
    return RolesChange(changed, last.left)


def find_differences(session: Session, roles: Roles, progress: ScanProgress) -> tuple[AclDifference, ...]:
    """Return the znodes whose ACL allows something else than follows from `roles`, or can't be read."""
    hidden: list[str] = []
    znodes = (znode for window in _all_znodes(session, progress, hidden.append) for znode in window)
    found = {znode.path: _difference(roles, znode) for znode in znodes}
    hidden_too = {path: AclDifference(path, refused=True) for path in hidden if path not in found}
    return tuple(each for each in (found | hidden_too).values() if each)


def _difference(roles: Roles, znode: ZnodeAcl) -> AclDifference:
    if _is_registration(roles, znode):
        return _of_registration(roles, znode)
    if znode.acl is None:
        return AclDifference(znode.path, refused=True)
    return compare_acls(znode.path, znode.acl, acl_at(roles, znode.path))


def _of_registration(roles: Roles, znode: ZnodeAcl) -> AclDifference:
    """Return what the ACL of a registration opens.

    The node made it with what it sees of the ACLs, so it may lack digests, and name further principals of the
    node's session as readers.
    """
    both = compare_acls(znode.path, znode.acl or {}, acl_at(roles, znode.path))
    more = {who: may if who == WORLD else may & ~Permission.READ for who, may in both.more.items()}
    return replace(both, more={who: may for who, may in more.items() if may}, less={})


def _is_registration(roles: Roles, znode: ZnodeAcl) -> bool:
    """Return whether a znode is the registration of a node, as far as this client may know."""
    node = paths.owner(znode.path)
    possible = znode.ephemeral or znode.acl is None
    return possible and paths.is_registration(znode.path) and bool(roles.of(Role.NODE, node))


def _all_znodes(
    session: Session, progress: ScanProgress, hidden: Callable[[str], None]
) -> Iterator[list[ZnodeAcl]]:
    """Yield all znodes in windows, those of the map before those of the nodes."""
    count = 0
    for top, skip in (("", (MEMBERS,)), (MEMBERS, ())):
        for window in walk_znodes(session, top, skip=skip, hidden=hidden):
            yield window
            count += len(window)
            progress(count)


def _make_members(session: Session, roles: Roles) -> int:
    """Create the missing member znodes of nodes with the role, and those below that stay; return how many.

    A node could create its status itself, but without the digests that it can't see.
    """
    nodes = [node for node, principals in roles.nodes.items() if principals]
    wanted = [path for node in nodes for path in paths.owned_by(node)]
    stats = read_stats(session, wanted)
    missing = [path for path, stat in zip(wanted, stats, strict=True) if stat is None]
    return sum(create_znode(session, path, acl=acl_at(roles, path)) for path in missing)


def _set_all(session: Session, roles: Roles, progress: ScanProgress) -> RolesChange:
    changed, left, hidden = 0, set[str](), list[str]()
    for window in _all_znodes(session, progress, hidden.append):
        done = _set(session, roles, window)
        changed += done.changed
        left.update(done.left)
    return RolesChange(changed, tuple(sorted(left)))


def _set(session: Session, roles: Roles, znodes: Sequence[ZnodeAcl | None]) -> RolesChange:
    """Set the ACLs that differ, and replace the znodes that refuse it."""
    found = [znode for znode in znodes if znode is not None]
    strays = [znode for znode in found if znode.acl not in (None, acl_at(roles, znode.path))]
    requests = [request_set_acls(session.path(znode.path), acl_at(roles, znode.path)) for znode in strays]
    replies = session.gather_permitted(requests)
    refused = [znode for znode, reply in zip(strays, replies, strict=True) if reply is FORBIDDEN]
    corrected = len(strays) - len(refused)
    refused += [znode for znode in found if znode.acl is None]
    foreign = [znode for znode in refused if not _is_registration(roles, znode)]
    left = tuple(znode.path for znode in foreign if not _replace(session, roles, znode.path))
    return RolesChange(corrected + len(foreign) - len(left), left)


def _replace(session: Session, roles: Roles, path: str) -> bool:
    """Delete a znode of a node that refuses admins, and create what belongs there; return whether it worked.

    An admin may delete it by the ACL of its parent, but not while it has children.
    """
    node = paths.owner(path)
    if not node:
        return False
    try:
        session.repeat(lambda client: client.delete_async(session.path(path)), path)
    except NoNodeError:
        return True
    except (NotPermittedError, NotEmptyError):
        return False
    if roles.of(Role.NODE, node) and path in paths.owned_by(node):
        create_znode(session, path, acl=acl_at(roles, path))
    return True
