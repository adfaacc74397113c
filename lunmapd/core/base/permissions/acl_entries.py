"""The entries of ACLs: what they allow in effect, and those that a client without ADMIN can't see. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.base.permissions.access import AclEntries, Permission
from lunmapd.core.base.permissions.principals import WORLD, Principal

# ZooKeeper replaces this id with all principals that the session has authenticated as (scheme "auth").
CREATOR = Principal("auth", "")
NOTHING = Permission(0)
# What ZooKeeper shows instead of the hash of a digest to a client without ADMIN
# (FinalRequestProcessor, getACL).
_HIDDEN_HASH = ":x"


class AclDifference(Struct, frozen=True):
    """How far the ACL of a znode differs from the one that follows from the roles, by principal.

    `more` has the permissions that exceed the role, `less` those that the role has and the ACL lacks.
    `refused` is whether this client may not read the ACL; then both are empty.
    """

    znode: str
    more: Mapping[Principal, Permission] = {}
    less: Mapping[Principal, Permission] = {}
    refused: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.more or self.less or self.refused)


def compare_acls(znode: str, observed: AclEntries, desired: AclEntries) -> AclDifference:
    """Return how far an ACL allows something else than another one does, however it is spelled."""
    everybody = sorted({*observed, *desired, WORLD})
    more = {who: allowed(observed, who) & ~allowed(desired, who) for who in everybody}
    less = {who: allowed(desired, who) & ~allowed(observed, who) for who in everybody}
    return AclDifference(znode, _own_part(more), _own_part(less))


def allowed(acl: AclEntries, who: Principal) -> Permission:
    """Return what an ACL allows a principal, by its own entry and by that of the world."""
    return acl.get(who, NOTHING) | acl.get(WORLD, NOTHING)


def _own_part(difference: Mapping[Principal, Permission]) -> dict[Principal, Permission]:
    """Leave out what is the same for the whole world."""
    world = difference[WORLD]
    own = {who: may & ~world for who, may in difference.items() if who != WORLD} | {WORLD: world}
    return {who: may for who, may in own.items() if may}


def show_permission(may: Permission) -> str:
    """Return permissions as text: `READ, WRITE`."""
    names = (Permission.READ, Permission.WRITE, Permission.CREATE, Permission.DELETE, Permission.ADMIN)
    return ", ".join(each.name or "" for each in names if each in may)


def inherit(parent: AclEntries, creator: Permission = NOTHING) -> dict[Principal, Permission]:
    """Return the ACL of a new znode: that of its parent, without the digests whose hashes are hidden.

    An entry with a hidden hash would match no password. If this leaves out an entry that owns the parent, as
    that of a node which is a digest, the creator of the znode gets `creator` in its place.
    """
    seen = {who: may for who, may in parent.items() if not _is_hidden(who)}
    hidden = [may for who, may in parent.items() if _is_hidden(who)]
    owner = any(Permission.OWN in may and Permission.ADMIN not in may for may in hidden)
    return seen | ({CREATOR: creator} if creator and owner else {})


def _is_hidden(who: Principal) -> bool:
    return who.scheme == "digest" and who.id.endswith(_HIDDEN_HASH)
