"""Forgetting a node that was retired: all that it ever said of itself goes."""

from msgspec import Struct

from lunmapd.core.base.access import Role
from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.errors import Exit
from lunmapd.core.base.names import check_name
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.store.commit.draft import Write
from lunmapd.store.commit.send import submit_in_tree
from lunmapd.store.session import paths
from lunmapd.store.session.errors import OlderSchemaError, StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.roles import read_roles
from lunmapd.store.tree.snapshot import SCHEMA, Raw, Snapshot
from lunmapd.store.tree.znodes import read_znodes
from lunmapd.store.upkeep.remove import deletions

_ATTEMPTS = 5
_MAPPED = "it is in the map: take it out of its targets, wait until it has applied that, and take it out of the map first"


class Forgotten(Struct, frozen=True):
    """The node that was forgotten, and when it had said something last; empty if that can't be told."""

    node: str
    last_said: str


class NodeInUseError(StoreError):
    """The node can't be forgotten yet; `node` is its name."""

    exit_code = Exit.CONFLICT

    def __init__(self, node: str, reason: str) -> None:
        self.node = node
        super().__init__(f"{node} was not forgotten: {reason}")


class NeverRegisteredError(StoreError):
    """No node of this name has ever said anything."""

    def __init__(self, node: str) -> None:
        self.node = node
        super().__init__(f"no node {node!r} has registered; 'lunmapctl status' lists those that have")


def forget(session: Session, snapshot: Snapshot, node: str) -> Forgotten:
    """Remove `members/<node>`, for a node that is not in the map of `snapshot`.

    Raises NodeInUseError for one that is there, lives or has a role, NeverRegisteredError, and OlderSchemaError.
    """
    if snapshot.schema < SCHEMA:
        raise OlderSchemaError(snapshot.schema, SCHEMA)
    if f"nodes/{node}" in snapshot.paths():
        raise NodeInUseError(node, _MAPPED)
    if check_name(node):
        raise NeverRegisteredError(node)
    gone = None
    for _ in range(_ATTEMPTS):
        found = _find_member(session, node)
        if found is None:
            break
        gone, writes = found
        if submit_in_tree(session, paths.tree_id(snapshot.cluster, snapshot.incarnation), writes):
            return gone
    else:
        raise NodeInUseError(node, "it changes all the time; see 'lunmapctl status'")
    if gone is None:
        raise NeverRegisteredError(node)
    return gone


def _find_member(session: Session, node: str) -> tuple[Forgotten, list[Write]] | None:
    """Return what is known of a node and the writes that remove it, None when there is nothing. Raises NodeInUseError."""
    member = paths.member_of(node)
    # Whoever registers sets the znode before he is seen to live: if the node comes back after this, it has another version.
    own, live, status = read_znodes(session, (member, paths.live_of(node), paths.status_of(node)))
    if own is None:
        return None
    if live is not None:
        raise NodeInUseError(node, "it lives: stop its daemon first, 'systemctl disable --now lunmapd' there")
    if read_roles(session).of(Role.NODE, node):
        raise NodeInUseError(
            node, f"it may still write here: take that from it first, 'lunmapctl acl revoke node {node}'"
        )
    below = [write for write in deletions(session, member) if write.path != member]
    return Forgotten(node, _said(status)), [*below, Write(member, b"", None, own.version)]


def _said(status: Raw | None) -> str:
    try:
        return "" if status is None else decode(status.data, NodeStatus).time
    except DocumentError:
        return ""
