"""Reading the znodes of floating portal groups: the lease, the wish of an admin, and the candidates."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from threading import Lock
from typing import TypeVar

from kazoo.client import KazooClient
from kazoo.protocol.states import WatchedEvent, ZnodeStat
from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.base.lunmap import GroupId, Target
from lunmapd.core.base.permissions.principals import FLOATING
from lunmapd.core.floating.documents import CandidateView, CandidateViews, Report, Wish
from lunmapd.core.floating.lease import LeaseRecord, LeaseTimes, owner_record
from lunmapd.core.placement.leased_groups import listed_nodes, takeover_nodes
from lunmapd.store.session import paths
from lunmapd.store.session.session import FORBIDDEN, Forbidden, KazooCall, Reply, Session
from lunmapd.store.tree.snapshot import Raw
from lunmapd.store.tree.znodes import list_children, read_permitted

_T = TypeVar("_T")
Watcher = Callable[[WatchedEvent], None]


class LeaseZnode(Struct, frozen=True):
    """The record of a lease, with the version of its znode and the transaction that created it.

    A version proves something only together with `created`: a znode that was deleted and created again begins
    at version 0.
    """

    record: LeaseRecord
    version: int
    created: int


class GroupState(Struct, frozen=True):
    """The znodes of a group. `lease` is None if there is none, or if this client may not read it."""

    lease: LeaseZnode | None = None
    wish: Wish = Wish()
    candidates: CandidateViews = {}


class WatchedGroup:
    """The znodes of a group, read again where they changed.

    A watch of ZooKeeper fires once, and at each change of the connection (ZooKeeper Programmer's Guide,
    "ZooKeeper Watches"). So each read sets it again, and after a change of the connection all are read. A
    missing znode has no watch, and is read each time.
    """

    def __init__(self, session: Session, group: GroupId, wake: Callable[[], None]) -> None:
        """Prepare; `wake` is called from another thread when something may have changed."""
        self._session, self._group, self._wake = session, group, wake
        self._nodes: Sequence[str] = ()
        self._changed: set[str] | None = None
        self._missing: set[str] = set()
        self._lock = Lock()
        self.state = GroupState()

    def read(self, nodes: Sequence[str]) -> GroupState:
        """Return the state; `nodes` are the candidates. Raises the errors of `Session.gather`."""
        with self._lock:
            changed, self._changed = self._changed, set()
        if changed is None or nodes != self._nodes:
            changed = {paths.lease_of(self._group), paths.wish_of(self._group), *nodes}
        changed, self._missing = changed | self._missing, set()
        try:
            self.state = self._read(changed, nodes)
        except BaseException:
            self.forget()
            raise
        self._nodes = nodes
        return self.state

    def forget(self) -> None:
        """Let the next read be of all znodes."""
        with self._lock:
            self._changed = None

    def _read(self, changed: Collection[str], nodes: Sequence[str]) -> GroupState:
        state, group = self.state, self._group
        lease, wish = state.lease, state.wish
        if paths.lease_of(group) in changed:
            lease = _lease(self._get(paths.lease_of(group)))
        if paths.wish_of(group) in changed:
            wish = _document(self._get(paths.wish_of(group)), Wish)
        kept = {node: state.candidates[node] for node in nodes if node in state.candidates}
        return GroupState(lease, wish, kept | {node: self._view(node) for node in nodes if node in changed})

    def _view(self, node: str) -> CandidateView:
        path = paths.candidate_of(self._group, node)
        below = self._ask(node, _request_children(self._session.path(path), self._watcher(node)))
        live = isinstance(below, list) and bool(below)
        return CandidateView(_document(self._get(path, node), Report), live)

    def _get(self, path: str, name: str = "") -> "_Found":
        return self._ask(name or path, _request(self._session.path(path), self._watcher(name or path)))

    def _ask(self, name: str, ask: KazooCall[_T]) -> _T | Forbidden | None:
        (reply,) = self._session.gather_permitted([ask])
        if reply is None or reply is FORBIDDEN:
            self._missing.add(name)
        return reply

    def _watcher(self, name: str) -> Watcher:
        return _Watcher(self, name)

    def note(self, name: str, *, lost: bool) -> None:
        """Note that a znode changed, or that the connection did."""
        with self._lock:
            if lost:
                self._changed = None
            elif self._changed is not None:
                self._changed.add(name)
        self._wake()


class _Watcher(Struct, frozen=True):
    """Called by kazoo's thread; equal watchers are one for kazoo, which keeps them in a set."""

    group: WatchedGroup
    name: str

    def __call__(self, event: WatchedEvent) -> None:
        self.group.note(self.name, lost=event.path is None)


_Found = tuple[bytes | None, ZnodeStat] | Forbidden | None


def _request(path: str, watch: Watcher) -> KazooCall[tuple[bytes | None, ZnodeStat]]:
    def ask(client: KazooClient) -> Reply[tuple[bytes | None, ZnodeStat]]:
        return client.get_async(path, watch=watch)

    return ask


def _request_children(path: str, watch: Watcher) -> KazooCall[list[str]]:
    def ask(client: KazooClient) -> Reply[list[str]]:
        return client.get_children_async(path, watch=watch)

    return ask


def _lease(found: _Found) -> LeaseZnode | None:
    if found is None or found is FORBIDDEN:
        return None
    data, stat = found
    return LeaseZnode(decode_lease(data or b""), stat.version, stat.czxid)


NOBODY = "?"
"""The owner in a record that is not written or can't be decoded; no node has this name."""
UNWRITTEN = replace(owner_record(NOBODY, "", LeaseTimes()), quiet=False)
"""Stands for a record that is not written yet.

The znode may take the place of one that was deleted, so a node that takes the group waits for a lease time.
"""
UNDECODABLE = LeaseRecord(NOBODY, lease_ms=1 << 52)
"""Stands for a record that can't be decoded: no node takes the group."""


def decode_lease(data: bytes) -> LeaseRecord:
    """Return the record of a lease."""
    try:
        return decode(data, LeaseRecord) if data else UNWRITTEN
    except DocumentError:
        return UNDECODABLE


def _document(found: _Found, kind: type[_T]) -> _T:
    if found is None or found is FORBIDDEN or not found[0]:
        return kind()
    try:
        return decode(found[0], kind)
    except DocumentError:
        return kind()


def read_leases(session: Session, groups: Sequence[GroupId]) -> list[LeaseRecord]:
    """Read the records of some groups, in this order; that of a missing lease is not written."""
    raws = read_permitted(session, [paths.lease_of(group) for group in groups])
    return [decode_lease(raw.data) if isinstance(raw, Raw) else UNWRITTEN for raw in raws]


def read_lists(session: Session) -> dict[str, frozenset[str]]:
    """Read the nodes that may write each group's lease, by the name of the group's znode.

    They are those of the map, and an owner that is no longer among them: it has still to release the group.
    The name of a takeover group has its nodes.
    """
    names = sorted(list_children(session, FLOATING) or ())
    groups = [GroupId(*name.split(" ", 1)) for name in names if " " in name]
    floating = {group.target for group in groups if not takeover_nodes(group)}
    targets = {iqn: _target(session, iqn) for iqn in floating}
    nodes = {group: listed_nodes(group, targets.get(group.target)) for group in groups}
    return with_owners(session, nodes)


def with_owners(session: Session, nodes: Mapping[GroupId, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return the lists of nodes with the present owners, by the name of each group's znode."""
    records = read_leases(session, tuple(nodes))
    return {
        f"{group.target} {group.name}": frozenset({*listed, record.owner} - {"", NOBODY})
        for (group, listed), record in zip(nodes.items(), records, strict=True)
    }


def _target(session: Session, iqn: str) -> Target | None:
    (raw,) = read_permitted(session, (f"targets/{iqn}",))
    try:
        return decode(raw.data, Target) if isinstance(raw, Raw) else None
    except DocumentError:
        return None
