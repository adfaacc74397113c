"""What a node says of itself: its ephemeral and its status, and the look at all of them."""

from typing import NamedTuple, TypeVar

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError, NoNodeError
from kazoo.protocol.states import ZnodeStat

from lunmapd.core.documents import DocumentError, decode, encode
from lunmapd.core.status import Live, NodeStatus
from lunmapd.store import paths
from lunmapd.store.draft import check_document
from lunmapd.store.errors import LostError, NodeNameTakenError, NotInitialisedError, UnreachableError
from lunmapd.store.read import fetch
from lunmapd.store.session import Answer, Session

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

    One that an earlier session of this machine left behind is replaced. Raises NodeNameTakenError when it is
    another machine's, NotInitialisedError when there is no tree.
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
    other = _try_decode(data or b"", Live)
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
        raise NotInitialisedError(session.path(paths.LIVE)) from None
    return True


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
            if not _create_status(session, path, data):
                continue
        return
    raise UnreachableError(session.hosts, session.deadline, f"; the status of {node} was not written")


def _create_status(session: Session, path: str, data: bytes) -> bool:
    try:
        session.repeat(lambda client: client.create_async(path, data))
    except NodeExistsError:
        return False
    except NoNodeError:
        raise NotInitialisedError(session.path(paths.STATUS)) from None
    return True


def read_fleet(session: Session) -> dict[str, FleetNode]:
    """Read what every node says of itself, by node; garbage is a problem of that node only.

    Raises NotInitialisedError when there is no tree.
    """
    live, status = _children(session, paths.LIVE), _children(session, paths.STATUS)
    names = sorted(live | status)
    found = fetch(session, [path for name in names for path in (paths.live(name), paths.status(name))])
    return {
        name: _fleet_node(
            name, *(None if raw is None else raw.data for raw in found[2 * index : 2 * index + 2])
        )
        for index, name in enumerate(names)
    }


def _children(session: Session, path: str) -> set[str]:
    try:
        children = session.repeat(lambda client: client.get_children_async(session.path(path)))
    except NoNodeError:
        raise NotInitialisedError(session.path(path)) from None
    return set(children)


def _fleet_node(name: str, live_data: bytes | None, status_data: bytes | None) -> FleetNode:
    live, status = _try_decode(live_data, Live), _try_decode(status_data, NodeStatus)
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


def _try_decode(data: bytes | None, kind: type[T]) -> T | str | None:
    """Decode a document; a string is the reason why it can't be."""
    if data is None:
        return None
    try:
        return decode(data, kind)
    except DocumentError as error:
        return str(error)
