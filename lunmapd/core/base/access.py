"""Who may do what in the tree: roles, and the ACL of each znode that follows from them. Pure.

ZooKeeper has no groups and no inheritance: each znode lists the identities that may do something with it (ZooKeeper programmer's guide,
"ZooKeeper access control using ACLs"). The roles are written down nowhere else: they are read back from the
ACLs of the root and of each node's member znode.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import IntFlag, StrEnum

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.password import Secret

MEMBERS = "members"
_HASH = re.compile(r"[A-Za-z0-9+/]{27}=")
_SUBJECT = re.compile(r"[A-Za-z0-9.]+=.+")


class Permission(IntFlag):
    """What an ACL may allow (org.apache.zookeeper.ZooDefs.Perms). CREATE and DELETE are about the children."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16
    ALL = 31
    OWN = READ | WRITE | CREATE | DELETE


class Role(StrEnum):
    """What somebody is for the tree."""

    ADMIN = "admin"
    READER = "reader"
    NODE = "node"


class Principal(Struct, frozen=True, order=True):
    """Somebody, as ZooKeeper names him: an authentication scheme, and an id of that scheme."""

    scheme: str
    id: str

    def __str__(self) -> str:
        if self == WORLD:
            return self.scheme
        return f"{self.scheme}:{self.user}"

    @property
    def user(self) -> str:
        """The id as people know it: without the hash of a digest's password."""
        return self.id.partition(":")[0] if self.scheme == "digest" else self.id


WORLD = Principal("world", "anyone")

AclEntries = Mapping[Principal, Permission]
Members = Mapping[str, frozenset[Principal]]


class Roles(Struct, frozen=True):
    """Everybody's role: admins do everything, readers read everything, nodes read the map and own `members/<node>`."""

    admins: frozenset[Principal] = frozenset()
    readers: frozenset[Principal] = frozenset()
    nodes: Members = {}

    @property
    def is_open(self) -> bool:
        """Whether anybody may do everything."""
        return WORLD in self.admins

    def of(self, role: Role, node: str = "") -> frozenset[Principal]:
        """Return who has a role; for Role.NODE, who is `node`."""
        if role is Role.NODE:
            return self.nodes.get(node, frozenset())
        return self.admins if role is Role.ADMIN else self.readers

    def with_role(self, role: Role, members: frozenset[Principal], node: str = "") -> "Roles":
        """Return roles in which exactly `members` have one."""
        if role is Role.NODE:
            return replace(self, nodes={**self.nodes, node: members})
        return replace(self, admins=members) if role is Role.ADMIN else replace(self, readers=members)


def acl_at(roles: Roles, path: str) -> dict[Principal, Permission]:
    """Return the ACL of a znode of the tree, by its path below the root (the root's own is "")."""
    section, _, below = path.partition("/")
    found: dict[Principal, Permission] = {}
    if section not in {"", MEMBERS}:
        _add(found, frozenset[Principal]().union(*roles.nodes.values()), Permission.READ)
    _add(found, roles.readers, Permission.READ)
    _add(found, roles.admins, Permission.ALL)
    if section == MEMBERS and below:
        _add(found, roles.of(Role.NODE, below.partition("/")[0]), Permission.OWN)
        # ZooKeeper shows the hash of a digest only to those with ADMIN, and the node gives its znodes this same ACL.
        if any(identity.scheme == "digest" for identity in found):
            _add(found, roles.of(Role.NODE, below.partition("/")[0]), Permission.ADMIN)
    return found


def _add(acl: dict[Principal, Permission], members: Iterable[Principal], may: Permission) -> None:
    for identity in members:
        acl[identity] = acl.get(identity, Permission(0)) | may


def roles_of(root: AclEntries, members: Mapping[str, AclEntries]) -> Roles:
    """Read the roles back from the ACL of the root and those of the member znodes, by node."""
    admins = frozenset(identity for identity, may in root.items() if may == Permission.ALL)
    readers = frozenset(identity for identity, may in root.items() if may & Permission.READ) - admins
    nodes = {
        node: frozenset(identity for identity, may in acl.items() if may & Permission.OWN == Permission.OWN)
        - admins
        for node, acl in members.items()
    }
    return Roles(admins, readers, nodes)


def acl_size(acl: AclEntries) -> int:
    """Return an upper bound of the bytes that an ACL takes in a request (zookeeper.jute: permissions, scheme, id)."""
    return 4 + sum(12 + len(identity.scheme.encode()) + len(identity.id.encode()) for identity in acl)


def parse_principal(text: str) -> Principal:
    """Read `sasl:USER`, `x509:SUBJECT`, `digest:USER[:HASH]` or `world`; raises ValueError with a sentence for the admin.

    A digest without a hash is good for comparing only, see `with_password`.
    """
    scheme, _, name = text.partition(":")
    match scheme:
        case "world" if not name:
            return WORLD
        case "sasl" if name and not set(name) & set(": "):
            return Principal(scheme, name)
        case "x509" if _SUBJECT.fullmatch(name):
            return Principal(scheme, name)
        case "digest" if _is_digest(name):
            return Principal(scheme, name)
    raise ValueError(
        f"{text!r} is not an identity: write sasl:USER, x509:SUBJECT (such as x509:CN=n1,O=Example), "
        "digest:USER, digest:USER:HASH or world"
    )


def _is_digest(name: str) -> bool:
    user, colon, secret = name.partition(":")
    return bool(user) and " " not in user and (not colon or _HASH.fullmatch(secret) is not None)


def with_password(identity: Principal, password: Secret) -> Principal:
    """Give a digest the hash of its password (org.apache.zookeeper.server.auth.DigestAuthenticationProvider)."""
    text = f"{identity.user}:{password.text}"
    hashed = base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest())
    return Principal(identity.scheme, f"{identity.user}:{hashed.decode()}")


def same_principal(one: Principal, other: Principal) -> bool:
    """Whether two identities are one, whatever the passwords of digests."""
    return (one.scheme, one.user) == (other.scheme, other.user)


def with_grant(roles: Roles, role: Role, who: Principal, node: str = "") -> Roles:
    """Give somebody a role, in place of the same one with another password; raises ValueError if he has another one."""
    others = [held for held in _held(roles, who) if held != role]
    if others:
        raise ValueError(f"{who} is {others[0]} already: revoke that first")
    if who == WORLD and role is Role.NODE:
        raise ValueError("world is everybody, and so can't be a node")
    return roles.with_role(role, _without(roles.of(role, node), who) | {who}, node)


def without_grant(roles: Roles, role: Role, who: Principal | None, node: str = "") -> Roles:
    """Take a role from somebody, or (None) from all who have it."""
    left = frozenset[Principal]() if who is None else _without(roles.of(role, node), who)
    return roles.with_role(role, left, node)


def _held(roles: Roles, who: Principal) -> list[Role]:
    nodes = frozenset[Principal]().union(*roles.nodes.values())
    held = ((Role.ADMIN, roles.admins), (Role.READER, roles.readers), (Role.NODE, nodes))
    return [role for role, members in held if len(_without(members, who)) < len(members)]


def _without(members: frozenset[Principal], who: Principal) -> frozenset[Principal]:
    return frozenset(member for member in members if not same_principal(member, who))


def is_admin(roles: Roles, proven: Iterable[Principal]) -> bool:
    """Whether somebody may do everything, by the identities that he has proven; ZooKeeper's superuser may at any time."""
    return roles.is_open or any(
        who.scheme == "super" or len(_without(roles.admins, who)) < len(roles.admins) for who in proven
    )
