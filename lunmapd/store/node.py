"""What a node says of itself: its ephemeral and its status, and the look at all of them."""

from typing import NamedTuple, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.documents import DocumentError, decode, encode
from lunmapd.core.status import Live, NodeStatus
from lunmapd.store import paths
from lunmapd.store.errors import LostError, NodeNameTakenError, NotInitialisedError, UnreachableError
from lunmapd.store.session import Answer, Session, make
from lunmapd.store.sizes import check_document
from lunmapd.store.snapshot import Raw
from lunmapd.store.top import fetch, read_top

T = TypeVar("T")
_ATTEMPTS = 5
_UNREADABLE = "(unreadable)"


class FleetNode(NamedTuple):
    """One node as seen from outside: what it says of itself, and what of that can't be read."""

    live: Live | None = None
    status: NodeStatus | None = None
    problems: tuple[str, ...] = ()


def register(session: Session, node: str, live: Live) -> None:
    """Make sure that the ephemeral of `node` is there and belongs to this session.

    One that an earlier session of this machine left behind is replaced; members/<node> is made if missing.
    Raises NodeNameTakenError when it is another machine's, NotInitialisedError when there is no tree.
    """
    for _ in range(_ATTEMPTS):
        try:
            if _settle(session, node, live):
                return
        except LostError:
            continue
    raise UnreachableError(session.hosts, session.deadline, f"; node {node} is not registered")


def _settle(session: Session, node: str, live: Live) -> bool:
    found = _owner(session, node)
    if found is None:
        return _create(session, node, live)
    data, stat = found
    if stat.ephemeralOwner == session.session_id:
        return True
    other = _try_decode(Raw(data or b"", stat.version), Live)
    if not isinstance(other, Live):
        raise NodeNameTakenError(node, _UNREADABLE, _UNREADABLE)
    if other.machine != live.machine:
        raise NodeNameTakenError(node, other.machine, other.since)
    return _replace(session, node, live, stat.version)


def _owner(session: Session, node: str) -> tuple[bytes | None, ZnodeStat] | None:
    try:
        return session.repeat(lambda client: client.get_async(session.path(paths.live(node))))
    except NoNodeError:
        return None


def _create(session: Session, node: str, live: Live) -> bool:
    try:
        session.once(
            lambda client: client.create_async(session.path(paths.live(node)), encode(live), ephemeral=True)
        )
    except NodeExistsError:
        return False
    except NoNodeError:
        _make_member(session, node)
        return False
    return True


def _make_member(session: Session, node: str) -> None:
    """Make members/<node>, and in a tree of schema 1 members itself; nothing where there is no tree."""
    (meta,) = fetch(session, (paths.META,))
    if meta is None:
        raise NotInitialisedError(session.path(paths.META))
    try:
        for path in (paths.MEMBERS, paths.member(node)):
            make(session, session.path(path))
    except NoNodeError:
        raise NotInitialisedError(session.path(paths.MEMBERS)) from None


def _replace(session: Session, node: str, live: Live, version: int) -> bool:
    path = session.path(paths.live(node))

    def ask(client: KazooClient) -> Answer[list[object]]:
        transaction = client.transaction()
        transaction.delete(path, version)
        transaction.create(path, encode(live), ephemeral=True)
        return transaction.commit_async()

    return not any(isinstance(result, Exception) for result in session.once(ask))


def is_registered(session: Session, node: str) -> bool:
    """Whether the ephemeral of `node` belongs to this session."""
    found = _owner(session, node)
    return found is not None and found[1].ephemeralOwner == session.session_id


def write_status(session: Session, node: str, status: NodeStatus) -> None:
    """Write the status of `node`. Raises TooLargeError, and NotInitialisedError when there is no tree."""
    path, data = session.path(paths.status(node)), encode(status)
    check_document(paths.status(node), data)
    for _ in range(_ATTEMPTS):
        try:
            session.repeat(lambda client: client.set_async(path, data))
        except NoNodeError:
            if not _create_status(session, node, data):
                continue
        return
    raise UnreachableError(session.hosts, session.deadline, f"; the status of {node} was not written")


def _create_status(session: Session, node: str, data: bytes) -> bool:
    path = session.path(paths.status(node))
    try:
        session.repeat(lambda client: client.create_async(path, data))
    except NodeExistsError:
        return False
    except NoNodeError:
        _make_member(session, node)
        return False
    return True


def read_fleet(session: Session) -> dict[str, FleetNode]:
    """Read what every node says of itself, by node; garbage is a problem of that node only.

    Raises NotInitialisedError when there is no tree.
    """
    names = _members(session)
    found = fetch(session, [path for name in names for path in (paths.live(name), paths.status(name))])
    pairs = zip(names, found[::2], found[1::2], strict=True)
    return {name: _fleet_node(name, live, status) for name, live, status in pairs if live or status}


def _members(session: Session) -> list[str]:
    """List the nodes that ever registered; a tree of schema 1 has none as long as no node made members."""
    try:
        return sorted(session.repeat(lambda client: client.get_children_async(session.path(paths.MEMBERS))))
    except NoNodeError:
        read_top(session)
        return []


def _fleet_node(name: str, live_raw: Raw | None, status_raw: Raw | None) -> FleetNode:
    live, status = _try_decode(live_raw, Live), _try_decode(status_raw, NodeStatus)
    problems = [
        f"{path}: {reason}"
        for path, reason in ((paths.live(name), live), (paths.status(name), status))
        if isinstance(reason, str)
    ]
    return FleetNode(
        live if isinstance(live, Live) else None,
        status if isinstance(status, NodeStatus) else None,
        tuple(problems),
    )


def _try_decode(raw: Raw | None, kind: type[T]) -> T | str | None:
    """Decode a document; a string is the reason why it can't be."""
    if raw is None:
        return None
    try:
        return decode(raw.data, kind)
    except DocumentError as error:
        return str(error)
