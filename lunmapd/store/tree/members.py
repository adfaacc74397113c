"""The znodes of nodes: registration, status, and reading them for the whole fleet."""

from collections.abc import Sequence
from typing import TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    RolledBackError,
    RuntimeInconsistency,
)
from kazoo.protocol.states import ZnodeStat
from msgspec import Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.base.permissions.access import Permission
from lunmapd.core.base.permissions.acl_entries import inherit
from lunmapd.core.base.permissions.principals import MEMBERS, Role
from lunmapd.core.fleet.status import Live, NodeStatus, serving_logins
from lunmapd.core.node.observed import Login
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import LostError, NodeNameTakenError, NotInitialisedError, UnreachableError
from lunmapd.store.session.limits import check_document
from lunmapd.store.session.refusals import refused
from lunmapd.store.session.session import FORBIDDEN, Forbidden, Reply, Session
from lunmapd.store.tree.permissions.acl import read_acls, to_kazoo
from lunmapd.store.tree.permissions.roles import create_znode
from lunmapd.store.tree.snapshot import Raw
from lunmapd.store.tree.znodes import list_children, read_permitted, read_top, read_znodes, request_znode

_T = TypeVar("_T")
_ATTEMPTS = 5
# What a transaction fails with if something changed meanwhile, and what its other operations return.
_MEANWHILE = (BadVersionError, NodeExistsError, NoNodeError, RolledBackError, RuntimeInconsistency)
_UNREADABLE = "(unreadable)"
_REFUSED = (
    "its ACL refuses this client; 'lunmapctl acl show --check' shows what differs, any grant corrects it"
)
# A registration that this client may not read. That is no problem: a node does not see the hashes of digests,
# so it can't let their principals read what it creates.
_HIDDEN = Live("", "", "", "")


class FleetNode(Struct, frozen=True):
    """One node as another client sees it. `problems` says which of its znodes can't be decoded, and why."""

    live: Live | None = None
    status: NodeStatus | None = None
    problems: tuple[str, ...] = ()


def register(session: Session, node: str, live: Live, *, held: bool = False) -> None:
    """Make sure that the ephemeral of `node` exists and belongs to this session.

    The ephemeral of an earlier session of this machine is replaced. `members/<node>` is created if it is
    missing. `held` says that this run of the daemon has been registered before: then an ephemeral of another
    run is not an old one, but a clone's. Raises NodeNameTakenError if the ephemeral belongs to another
    machine, NotInitialisedError if there is no tree, and UnreachableError.
    """
    for _ in range(_ATTEMPTS):
        try:
            if _try_register(session, node, live, held=held):
                return
        except LostError:
            continue
    raise UnreachableError(session.hosts, session.deadline, f"; node {node} is not registered")


def is_registered(session: Session, node: str) -> bool:
    """Return whether the ephemeral of `node` belongs to this session. Raises StoreError."""
    (found,) = session.gather_permitted([request_znode(session, paths.live_of(node))])
    return isinstance(found, tuple) and found[1].ephemeralOwner == session.session_id


MemberZnode = tuple[bytes | None, ZnodeStat]


def _try_register(session: Session, node: str, live: Live, *, held: bool) -> bool:
    own, ephemeral = _read_member(session, node)
    if own is None:
        _make_member(session, node)
        return False
    if ephemeral is not None:
        data, stat = ephemeral
        if stat.ephemeralOwner == session.session_id:
            return True
        _check_machine(node, live, Raw(data or b"", stat.version), held=held)
    return _create_ephemeral(
        session, node, live, own[1].version, None if ephemeral is None else ephemeral[1].version
    )


def check_node_name(session: Session, node: str, machine: str) -> None:
    """Check that no other machine than `machine` is registered as `node`. Raises NodeNameTakenError."""
    (raw,) = read_znodes(session, (paths.live_of(node),))
    if raw is not None:
        _check_machine(node, Live(machine, "", "", ""), raw, held=False)


def _read_member(session: Session, node: str) -> list[MemberZnode | None]:
    """Read the member znode of a node, then its ephemeral, in this order."""
    both = (paths.member_of(node), paths.live_of(node))
    return session.gather([request_znode(session, path) for path in both], both)


def _check_machine(node: str, live: Live, raw: Raw, *, held: bool) -> None:
    """Raise NodeNameTakenError unless the ephemeral belongs to this machine, and with `held` to this run."""
    other = _try_decode(raw, Live)
    if not isinstance(other, Live):
        raise NodeNameTakenError(node, _UNREADABLE, _UNREADABLE)
    if other.machine != live.machine:
        raise NodeNameTakenError(node, other.machine, other.since)
    if held and (other.boot, other.since) != (live.boot, live.since):
        raise NodeNameTakenError(node, other.machine, other.since, twin=True)


def _create_ephemeral(session: Session, node: str, live: Live, version: int, replaced: int | None) -> bool:
    """Create the ephemeral, in place of the one of version `replaced` if there is one.

    Returns False if something changed meanwhile. The same transaction sets the member znode, with the version
    that it had before the ephemeral was read. Otherwise the transaction could delete the ephemeral that
    another machine created after the read: both have version 0.
    """
    member, path = session.path(paths.member_of(node)), session.path(paths.live_of(node))
    (acl,) = read_acls(session, (paths.member_of(node),))
    own = inherit(acl or {}, Permission.READ)

    def ask(client: KazooClient) -> Reply[list[object]]:
        transaction = client.transaction()
        transaction.set_data(member, b"", version)
        if replaced is not None:
            transaction.delete(path, replaced)
        transaction.create(path, encode(live), to_kazoo(own), ephemeral=True)
        return transaction.commit_async()

    failures = [result for result in session.once(ask, paths.live_of(node)) if isinstance(result, Exception)]
    if any(isinstance(failure, NoAuthError) for failure in failures):
        raise session.not_permitted(paths.live_of(node), Role.NODE)
    for failure in failures:
        if not isinstance(failure, _MEANWHILE):
            raise refused(failure, paths.live_of(node))
    return not failures


def _make_member(session: Session, node: str) -> None:
    """Create `members/<node>`, and in a tree of schema 1 `members` itself.

    Raises NotInitialisedError if there is no tree.
    """
    try:
        (meta,) = read_znodes(session, (paths.META,))
        if meta is None:
            raise NotInitialisedError(session.path(paths.META))
        create_znode(session, paths.member_of(node))
    except NoNodeError:
        create_znode(session, MEMBERS)
    except NotPermittedError:
        raise session.not_permitted(paths.member_of(node), Role.NODE) from None


def write_status(session: Session, node: str, status: NodeStatus) -> None:
    """Write the status of `node`.

    Raises TooLargeError, NotInitialisedError if there is no tree, and UnreachableError.
    """
    path, data = session.path(paths.status_of(node)), encode(status)
    check_document(paths.status_of(node), data)
    for _ in range(_ATTEMPTS):
        try:
            session.repeat(lambda client: client.set_async(path, data), paths.status_of(node))
        except NoNodeError:
            if not _create_status(session, node, data):
                continue
        return
    raise UnreachableError(session.hosts, session.deadline, f"; the status of {node} was not written")


def _create_status(session: Session, node: str, data: bytes) -> bool:
    try:
        return create_znode(session, paths.status_of(node), data)
    except NoNodeError:
        _make_member(session, node)
        return False


def read_fleet(session: Session) -> dict[str, FleetNode]:
    """Read the registration and the status of every node, by node.

    Data that can't be decoded, or that refuse this client, are a problem of that node only. Raises
    NotInitialisedError if there is no tree.
    """
    return read_members(session, _members(session))


def read_members(session: Session, names: Sequence[str]) -> dict[str, FleetNode]:
    """Read the registration and the status of some nodes, by node; one that has neither is left out."""
    wanted = [path for name in names for path in (paths.live_of(name), paths.status_of(name))]
    raws = read_permitted(session, wanted)
    nodes = {
        name: _fleet_node(name, live, status)
        for name, live, status in zip(names, raws[::2], raws[1::2], strict=True)
    }
    return {name: node for name, node in nodes.items() if node != FleetNode()}


def read_logins(session: Session) -> dict[str, frozenset[Login]]:
    """Read the iSCSI logins that each live, healthy node last reported, by node.

    Raises as `read_fleet` does.
    """
    live = {name: node.status for name, node in read_fleet(session).items() if node.live and node.status}
    return serving_logins(live)


def _members(session: Session) -> list[str]:
    """Return the nodes that ever registered, in order. Raises NotInitialisedError if there is no tree.

    In a tree of schema 1 `members` is missing until a node creates it.
    """
    names = list_children(session, MEMBERS)
    if names is None:
        read_top(session)
        return []
    return sorted(names)


def _fleet_node(name: str, live_raw: Raw | Forbidden | None, status_raw: Raw | Forbidden | None) -> FleetNode:
    live = _HIDDEN if live_raw is FORBIDDEN else _try_decode(live_raw, Live)
    # `acl grant` creates the status, so that it has the right ACL; it is empty until the node writes it.
    empty = isinstance(status_raw, Raw) and not status_raw.data
    status = None if empty else _try_decode(status_raw, NodeStatus)
    problems = [
        f"{path}: {reason}"
        for path, reason in ((paths.live_of(name), live), (paths.status_of(name), status))
        if isinstance(reason, str)
    ]
    return FleetNode(
        live if isinstance(live, Live) else None,
        status if isinstance(status, NodeStatus) else None,
        tuple(problems),
    )


def _try_decode(raw: Raw | Forbidden | None, kind: type[_T]) -> _T | str | None:
    """Decode a document; a string is the reason why there is none."""
    if raw is None:
        return None
    if raw is FORBIDDEN:
        return _REFUSED
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        return str(error)
