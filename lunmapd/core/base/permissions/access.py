"""Roles in the tree, and the ACL of each znode that follows from them. Pure.

ZooKeeper has no groups and no inheritance: each znode lists the principals with their permissions (ZooKeeper
programmer's guide, "ZooKeeper access control using ACLs"). The roles are stored nowhere else: they are read
back from the ACLs of the root, of meta and of each node's member znode, which only admins can change.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import IntFlag

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.password import Secret
from lunmapd.core.base.permissions.principals import FLOATING, MEMBERS, ROLLOUTS, WORLD, Principal, Role

_CANDIDATES = "candidates"
_OF_ALL = ("lease", "wish")
_ALGORITHMS = {28: "sha1", 44: "sha256", 64: "sha384", 88: "sha512"}
"""The algorithm of a hash by the length of its base64 text (DigestAuthenticationProvider.digestAlg)."""
_HASH = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_SUBJECT = re.compile(r"[A-Za-z0-9.]+=.+")


class Permission(IntFlag):
    """The permissions of an ACL entry (ZooKeeper's ZooDefs.Perms); CREATE and DELETE concern children."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16
    ALL = 31
    OWN = READ | WRITE | CREATE | DELETE


AclEntries = Mapping[Principal, Permission]
Members = Mapping[str, frozenset[Principal]]


class Roles(Struct, frozen=True):
    """The principals of each role.

    Admins have every permission, readers read everything, nodes read the map and own `members/<node>`.
    `nodes` maps the name of a node to its principals. `groups` maps each floating portal group, as `TARGET
    NAME`, to the nodes that may write its lease.
    """

    admins: frozenset[Principal] = frozenset()
    readers: frozenset[Principal] = frozenset()
    nodes: Members = {}
    groups: Mapping[str, frozenset[str]] = {}

    @property
    def is_open(self) -> bool:
        """Whether every client has all permissions."""
        return WORLD in self.admins

    @property
    def principals(self) -> frozenset[Principal]:
        """Everybody who has a role."""
        return self.admins.union(self.readers, *self.nodes.values())

    def of(self, role: Role, node: str = "") -> frozenset[Principal]:
        """Return the principals with a role; for Role.NODE, those of `node`."""
        if role is Role.NODE:
            return self.nodes.get(node, frozenset())
        return self.admins if role is Role.ADMIN else self.readers

    def with_role(self, role: Role, members: frozenset[Principal], node: str = "") -> "Roles":
        """Return the roles with exactly `members` in one of them."""
        if role is Role.NODE:
            return replace(self, nodes={**self.nodes, node: members})
        return replace(self, admins=members) if role is Role.ADMIN else replace(self, readers=members)


def acl_at(roles: Roles, path: str) -> dict[Principal, Permission]:
    """Return the ACL of the znode at `path` below the root; "" is the root itself."""
    section, _, below = path.partition("/")
    acl: dict[Principal, Permission] = {}
    if section not in {"", MEMBERS}:
        _add(acl, frozenset[Principal]().union(*roles.nodes.values()), Permission.READ)
    _add(acl, roles.readers, Permission.READ)
    _add(acl, roles.admins, Permission.ALL)
    if section == MEMBERS and below:
        _add(acl, roles.of(Role.NODE, below.partition("/")[0]), Permission.OWN)
    if section == FLOATING:
        for node, may in _floating(roles, below):
            _add(acl, roles.of(Role.NODE, node), may)
    if section == ROLLOUTS and below:
        _add(acl, frozenset[Principal]().union(*roles.nodes.values()), Permission.CREATE)
    return acl


def _floating(roles: Roles, below: str) -> Iterator[tuple[str, Permission]]:
    """Yield what the nodes of a floating portal group may do with a znode of it, beyond reading."""
    group, *rest = below.split("/")
    match rest:
        case [name] if name in _OF_ALL:
            yield from ((node, Permission.WRITE) for node in sorted(roles.groups.get(group, ())))
        case [name, node, *_] if name == _CANDIDATES and node in roles.groups.get(group, ()):
            yield node, Permission.OWN


def _add(acl: dict[Principal, Permission], members: Iterable[Principal], may: Permission) -> None:
    for principal in members:
        acl[principal] = acl.get(principal, Permission(0)) | may


def roles_of(root: AclEntries, members: Mapping[str, AclEntries], meta: AclEntries | None = None) -> Roles:
    """Return the roles that the ACLs of the root, of meta and of the member znodes (by node) express.

    A principal of a member znode is a node only if meta lets it read too. Nodes of earlier versions could
    change the ACL of their member znode, and no node could ever change that of meta. None: there is no meta.
    """
    admins = frozenset(principal for principal, may in root.items() if may == Permission.ALL)
    readers = frozenset(principal for principal, may in root.items() if may & Permission.READ) - admins
    nodes = {
        node: frozenset(who for who, may in acl.items() if _is_node(who, may, meta)) - admins
        for node, acl in members.items()
    }
    return Roles(admins, readers, nodes)


def _is_node(who: Principal, may: Permission, meta: AclEntries | None) -> bool:
    reads = meta is None or Permission.READ in meta.get(who, Permission(0))
    return reads and Permission.OWN in may and who != WORLD


def acl_size(acl: AclEntries) -> int:
    """Return an upper bound of the bytes of an ACL in a request (zookeeper.jute: permissions, scheme, id)."""
    return 4 + sum(12 + len(principal.scheme.encode()) + len(principal.id.encode()) for principal in acl)


def parse_principal(text: str) -> Principal:
    """Parse `sasl:USER`, `x509:SUBJECT`, `digest:USER[:HASH]` or `world`.

    A digest without a hash can only be compared, see `with_password`. Raises ValueError with a sentence for
    the admin.
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
        f"{text!r} is not a principal: write sasl:USER, x509:SUBJECT (such as x509:CN=n1,O=Example), "
        "digest:USER, digest:USER:HASH or world"
    )


def _is_digest(name: str) -> bool:
    user, colon, secret = name.partition(":")
    good = len(secret) in _ALGORITHMS and _HASH.fullmatch(secret) is not None
    return bool(user) and " " not in user and (not colon or good)


def digest_algorithm(principals: Iterable[Principal]) -> str:
    """Return the algorithm (as for hashlib) with which the servers hash the passwords of digests.

    It follows from the hashes of `principals`; without any it is ZooKeeper's default. Raises ValueError if
    they are of several algorithms.
    """
    hashes = {who.id.partition(":")[2] for who in principals if who.scheme == "digest"}
    found = {_ALGORITHMS[len(text)] for text in hashes if len(text) in _ALGORITHMS}
    if len(found) > 1:
        raise ValueError(
            f"the digests in the tree have hashes of several algorithms ({', '.join(sorted(found))}): write "
            "digest:USER:HASH with the hash that the servers make (digestAlg in their configuration)"
        )
    return found.pop() if found else "sha1"


def with_password(principal: Principal, password: Secret, algorithm: str = "sha1") -> Principal:
    """Return a digest principal with the hash of its password.

    The form is that of org.apache.zookeeper.server.auth.DigestAuthenticationProvider.
    """
    text = f"{principal.user}:{password.text}"
    hashed = base64.b64encode(hashlib.new(algorithm, text.encode(), usedforsecurity=False).digest())
    return Principal(principal.scheme, f"{principal.user}:{hashed.decode()}")


def same_principal(one: Principal, other: Principal) -> bool:
    """Return whether two principals are the same, apart from the passwords of digests."""
    return (one.scheme, one.user) == (other.scheme, other.user)


def with_grant(roles: Roles, role: Role, who: Principal, node: str = "") -> Roles:
    """Return the roles after a grant; it replaces a grant to the same principal with another password.

    Raises ValueError if the principal has another role.
    """
    others = [held for held in _held(roles, who) if held != role]
    if others:
        raise ValueError(f"{who} is {others[0]} already: revoke that first")
    if who == WORLD and role is Role.NODE:
        raise ValueError("world stands for every client and can't be a node")
    return roles.with_role(role, _without(roles.of(role, node), who) | {who}, node)


def without_grant(roles: Roles, role: Role, who: Principal | None, node: str = "") -> Roles:
    """Return the roles without that of `who`, or without all principals of that role (None)."""
    left = frozenset[Principal]() if who is None else _without(roles.of(role, node), who)
    return roles.with_role(role, left, node)


def _held(roles: Roles, who: Principal) -> list[Role]:
    nodes = frozenset[Principal]().union(*roles.nodes.values())
    held = ((Role.ADMIN, roles.admins), (Role.READER, roles.readers), (Role.NODE, nodes))
    return [role for role, members in held if len(_without(members, who)) < len(members)]


def _without(members: frozenset[Principal], who: Principal) -> frozenset[Principal]:
    return frozenset(member for member in members if not same_principal(member, who))


def is_admin(roles: Roles, proven: Iterable[Principal]) -> bool:
    """Return whether a client with these principals is an admin; ZooKeeper's superuser always is."""
    return roles.is_open or any(
        who.scheme == "super" or len(_without(roles.admins, who)) < len(roles.admins) for who in proven
    )
