"""Forgetting a retired node: its member znode and everything below it are deleted."""

from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.names import check_name
from lunmapd.core.base.permissions.principals import Role
from lunmapd.core.base.text import first_of
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import submit_in_tree
from lunmapd.store.session import paths
from lunmapd.store.session.errors import OlderSchemaError, StoreError
from lunmapd.store.session.session import FORBIDDEN, Forbidden, Session
from lunmapd.store.tree.permissions.acl import read_stats
from lunmapd.store.tree.permissions.roles import read_roles
from lunmapd.store.tree.snapshot import SCHEMA, Raw, Snapshot
from lunmapd.store.tree.znodes import read_permitted
from lunmapd.store.upkeep.remove import deletions

_ATTEMPTS = 5
_MAX_NAMED = 5
_REFUSES = (
    "refuses this client, as the node has made it: repeat 'lunmapctl acl revoke node', and if it remains "
    "forget the node as ZooKeeper's superuser (DigestAuthenticationProvider.superDigest in its "
    "administrator's guide)"
)
_MAPPED = (
    "it is in the map: 'lunmapctl retire' drains it, removes it from its targets and from the map, and "
    "forgets it"
)


class Forgotten(Struct, frozen=True):
    """The node that was forgotten, and the time of its last status (RFC 3339; empty if it is unknown)."""

    node: str
    last_said: str


class NodeInUseError(StoreError):
    """The node can't be forgotten yet; `node` is its name."""

    exit_code = Exit.CONFLICT

    def __init__(self, node: str, reason: str) -> None:
        self.node = node
        super().__init__(f"{node} was not forgotten: {reason}")


class NeverRegisteredError(StoreError):
    """No node of this name has ever registered."""

    def __init__(self, node: str) -> None:
        self.node = node
        super().__init__(f"no node {node!r} has registered; 'lunmapctl status' lists those that have")


def forget(session: Session, snapshot: Snapshot, node: str) -> Forgotten:
    """Delete `members/<node>`, for a node that is not in the map of `snapshot`.

    Raises NodeInUseError for a node that is in the map, is live or has a role, NeverRegisteredError, and
    OlderSchemaError.
    """
    if snapshot.schema < SCHEMA:
        raise OlderSchemaError(snapshot.schema, SCHEMA)
    if snapshot.has(f"nodes/{node}"):
        raise NodeInUseError(node, _MAPPED)
    if check_name(node):
        raise NeverRegisteredError(node)
    forgotten = None
    for _ in range(_ATTEMPTS):
        found = _find_member(session, node)
        if found is None:
            break
        forgotten, writes = found
        if submit_in_tree(session, paths.tree_id(snapshot.cluster, snapshot.incarnation), writes):
            return forgotten
    else:
        raise NodeInUseError(node, "its znodes changed during each attempt; see 'lunmapctl status'")
    if forgotten is None:
        raise NeverRegisteredError(node)
    return forgotten


def _find_member(session: Session, node: str) -> tuple[Forgotten, list[Write]] | None:
    """Return what is forgotten of a node, and the writes that delete it; None if there is nothing.

    Raises NodeInUseError.
    """
    member = paths.member_of(node)
    # A node that registers sets its member znode: if it does so after this read, the version differs.
    own, live = read_stats(session, (member, paths.live_of(node)))
    if own is None:
        return None
    # A znode of that name that is no ephemeral is no registration: the node made it by hand.
    if live is FORBIDDEN or (live is not None and live.ephemeralOwner):
        raise NodeInUseError(
            node, "it is live: stop its daemon first, with 'systemctl disable --now lunmapd' there"
        )
    if read_roles(session).of(Role.NODE, node):
        raise NodeInUseError(
            node,
            f"it may still write to the tree: revoke that first, with 'lunmapctl acl revoke node {node}'",
        )
    hidden: list[str] = []
    below = [write for write in deletions(session, member, hidden.append) if write.path != member]
    if own is FORBIDDEN or hidden:
        raise NodeInUseError(node, f"{first_of(hidden, _MAX_NAMED)} {_REFUSES}")
    (status,) = read_permitted(session, (paths.status_of(node),))
    return Forgotten(node, _status_time(status)), [*below, Write(member, b"", None, own.version)]


def _status_time(status: Raw | Forbidden | None) -> str:
    try:
        return decode(status.data, NodeStatus).time if isinstance(status, Raw) else ""
    except DocumentError:
        return ""
