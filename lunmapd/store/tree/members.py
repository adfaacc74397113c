"""What a node says of itself: its ephemeral and its status, and the look at all of them."""

from typing import NamedTuple, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.base.access import MEMBERS, Role
from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.fleet.status import Live, NodeStatus, Standing, standing_of
from lunmapd.core.node.observed import Login
from lunmapd.store.session import paths
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import LostError, NodeNameTakenError, NotInitialisedError, UnreachableError
from lunmapd.store.session.limits import check_document
from lunmapd.store.session.session import Reply, Session
from lunmapd.store.tree.acl import read_acls, to_kazoo
from lunmapd.store.tree.roles import create_znode
from lunmapd.store.tree.snapshot import Raw
from lunmapd.store.tree.znodes import list_children, read_top, read_znodes, request_znode

_T = TypeVar("_T")
_ATTEMPTS = 5
_UNREADABLE = "(unreadable)"
# A node that still has a commit to carry out, as all have at first, offers what it did.
_SERVING = {Standing.CONVERGED, Standing.PENDING}


class FleetNode(NamedTuple):
    """One node as seen from outside: what it says of itself, and what of that can't be read."""

    live: Live | None = None
    status: NodeStatus | None = None
    problems: tuple[str, ...] = ()


def register(session: Session, node: str, live: Live, *, held: bool = False) -> None:
    """Make sure that the ephemeral of `node` is there and belongs to this session.

    One that an earlier session of this machine left behind is replaced; members/<node> is made if missing. When this run of
    the daemon has `held` the name before, what another run has made is no more of the past: it is a clone's.
    Raises NodeNameTakenError when it is another machine's, NotInitialisedError when there is no tree.
    """
    for _ in range(_ATTEMPTS):
        try:
            if _try_register(session, node, live, held=held):
                return
        except LostError:
            continue
    raise UnreachableError(session.hosts, session.deadline, f"; node {node} is not registered")


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


def _read_member(session: Session, node: str) -> list[MemberZnode | None]:
    """Read a node's znode, then its ephemeral, in this order."""
    both = (paths.member_of(node), paths.live_of(node))
    return session.gather([request_znode(session, path) for path in both], both)


def _check_machine(node: str, live: Live, found: Raw, *, held: bool) -> None:
    """Raise NodeNameTakenError unless an ephemeral is of this machine, and if `held` of this run."""
    other = _try_decode(found, Live)
    if not isinstance(other, Live):
        raise NodeNameTakenError(node, _UNREADABLE, _UNREADABLE)
    if other.machine != live.machine:
        raise NodeNameTakenError(node, other.machine, other.since)
    if held and (other.boot, other.since) != (live.boot, live.since):
        raise NodeNameTakenError(node, other.machine, other.since, twin=True)


def _create_ephemeral(session: Session, node: str, live: Live, version: int, replaced: int | None) -> bool:
    """Make the ephemeral, in place of the one of version `replaced` if there is one; False when something changed meanwhile.

    Whoever registers sets the node's znode too, with the version that it had before the ephemeral was looked at. Else
    another machine's ephemeral could be removed that has followed the one that was found: both are of version 0.
    """
    member, path = session.path(paths.member_of(node)), session.path(paths.live_of(node))
    (acl,) = read_acls(session, (paths.member_of(node),))

    def ask(client: KazooClient) -> Reply[list[object]]:
        transaction = client.transaction()
        transaction.set_data(member, b"", version)
        if replaced is not None:
            transaction.delete(path, replaced)
        transaction.create(path, encode(live), to_kazoo(acl or {}), ephemeral=True)
        return transaction.commit_async()

    failures = [result for result in session.once(ask, paths.live_of(node)) if isinstance(result, Exception)]
    if any(isinstance(failure, NoAuthError) for failure in failures):
        raise session.not_permitted(paths.live_of(node), Role.NODE)
    return not failures


def _make_member(session: Session, node: str) -> None:
    """Make members/<node>, and in a tree of schema 1 members itself; nothing where there is no tree."""
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
    """Write the status of `node`. Raises TooLargeError, and NotInitialisedError when there is no tree."""
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
    """Read what every node says of itself, by node; garbage is a problem of that node only.

    Raises NotInitialisedError when there is no tree.
    """
    names = _members(session)
    found = read_znodes(
        session, [path for name in names for path in (paths.live_of(name), paths.status_of(name))]
    )
    pairs = zip(names, found[::2], found[1::2], strict=True)
    return {name: _fleet_node(name, live, status) for name, live, status in pairs if live or status}


def read_logins(session: Session) -> dict[str, frozenset[Login]]:
    """Read of each node that lives and is in order who is logged in there, by what it last said. Raises as `read_fleet` does."""
    return {
        name: frozenset(found.status.logins)
        for name, found in read_fleet(session).items()
        if found.live and found.status and standing_of(found.status) in _SERVING
    }


def _members(session: Session) -> list[str]:
    """List the nodes that ever registered; a tree of schema 1 has none as long as no node made members."""
    names = list_children(session, MEMBERS)
    if names is None:
        read_top(session)
        return []
    return sorted(names)


def _fleet_node(name: str, live_raw: Raw | None, status_raw: Raw | None) -> FleetNode:
    live, status = _try_decode(live_raw, Live), _try_decode(status_raw, NodeStatus)
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


def _try_decode(raw: Raw | None, kind: type[_T]) -> _T | str | None:
    """Decode a document; a string is the reason why it can't be."""
    if raw is None:
        return None
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        return str(error)
