"""What floating groups act on, without a kernel, a network or ZooKeeper: one cluster in one process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lunmapd.agent.floating.addresses import (
    Duplicate,
    GrantLateError,
    GroupAddresses,
    LeaseProcessError,
    Presence,
)
from lunmapd.agent.floating.tpgs import ForeignTpgError, TpgError, TpgStuckError
from lunmapd.core.base.lunmap import TpgId
from lunmapd.core.floating.documents import CandidateView, Report, Wish
from lunmapd.core.floating.lease import LeaseRecord
from lunmapd.store.session.errors import LostError, UnreachableError
from lunmapd.store.tree.floating import UNWRITTEN, GroupState, LeaseZnode

if TYPE_CHECKING:
    from lunmapd.core.node.failure import Failure


@dataclass
class FakeTree:
    """The znodes of one group. `reachable` are the nodes that ZooKeeper answers."""

    lease: LeaseZnode | None = field(default_factory=lambda: LeaseZnode(UNWRITTEN, 0, 1))
    wish: Wish = field(default_factory=Wish)
    reports: dict[str, Report] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)


class FakeStore:
    """The znodes of one group as one node sees them."""

    def __init__(self, tree: FakeTree, node: str) -> None:
        self.tree, self.node = tree, node
        self.loses_answers = False
        self.writes = 0

    def read(self, nodes: Sequence[str]) -> GroupState:
        """Return the state of the group."""
        self._reach()
        candidates = {
            node: CandidateView(self.tree.reports.get(node, Report()), node in self.tree.live)
            for node in nodes
        }
        return GroupState(self.tree.lease, self.tree.wish, candidates)

    def appear(self) -> None:
        """Let the node appear."""
        self._reach()
        self.tree.live.add(self.node)

    def reread(self) -> None:
        """Do nothing: everything is always read."""

    def write(self, record: LeaseRecord, version: int) -> int | None:
        """Write the record by compare-and-set."""
        self._reach()
        lease = self.tree.lease
        if lease is None or lease.version != version:
            return None
        self.tree.lease = LeaseZnode(record, version + 1, lease.created)
        self.writes += 1
        if self.loses_answers:
            raise LostError("zk", 1.0)
        return version + 1

    def report(self, report: Report) -> bool:
        """Write the report of the node."""
        self._reach()
        self.tree.reports[self.node] = report
        return True

    def end_wish(self) -> None:
        """End the wish."""
        self.tree.wish = Wish()

    def _reach(self) -> None:
        if self.node in self.tree.cut:
            raise UnreachableError("zk", 1.0)


class FakeAddresses:
    """The addresses that one kernel has, each until a time; the kernels of `network` hear each other."""

    def __init__(self, clock: Callable[[], float], network: list["FakeAddresses"]) -> None:
        self.clock, self.network = clock, network
        self.until: dict[str, float] = {}
        self.problem: Failure | None = None
        self.slow = 0.0
        self.broken = False
        self.announced = 0
        self.granted: list[GroupAddresses] = []
        network.append(self)

    def has(self, address: str) -> bool:
        """Return whether the kernel has an address now."""
        return self.until.get(address, 0.0) > self.clock()

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which addresses the kernel has now."""
        if self.broken:
            raise LeaseProcessError("the lease process was not ready")
        return Presence(frozenset(filter(self.has, group.addresses)), self.problem)

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Ask the other kernels."""
        for other in self.network:
            for address in group.addresses:
                if other is not self and other.has(address):
                    return Duplicate(address, "02:00:00:00:00:01")
        return None

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Give all addresses to the kernel."""
        if self.clock() + self.slow > not_after:
            raise GrantLateError("too late")
        self.granted.append(group)
        self.until |= dict.fromkeys(group.addresses, self.clock() + lifetime)

    def announce(self, group: GroupAddresses) -> None:
        """Count the announcements."""
        self.announced += len(group.addresses)

    def drop(self, group: GroupAddresses) -> None:
        """Take the addresses from the kernel."""
        for address in group.addresses:
            self.until.pop(address, None)

    def close(self) -> None:
        """Do nothing."""


class FakeTpgs:
    """The TPGs that one kernel has enabled, with their port ids."""

    def __init__(self) -> None:
        self.enabled: dict[TpgId, int] = {}
        self.ending: set[TpgId] = set()
        self.stuck = self.foreign = False
        self.refusal = ""

    def is_enabled(self, tpg: TpgId) -> bool:
        """Return whether a TPG is enabled. Raises ForeignTpgError."""
        if self.foreign:
            raise ForeignTpgError("another tool serves it")
        if tpg in self.ending and not self.stuck:
            self.disable(tpg)
        return tpg in self.enabled

    def enable(self, tpg: TpgId, port_id: int) -> None:
        """Enable a TPG, unless the kernel refuses."""
        if self.refusal:
            raise TpgError(self.refusal)
        self.enabled[tpg] = port_id

    def disable(self, tpg: TpgId) -> None:
        """Disable a TPG, unless its commands don't end."""
        self.ending.add(tpg)
        if self.stuck:
            raise TpgStuckError("commands don't end")
        self.ending.discard(tpg)
        self.enabled.pop(tpg, None)

    def close(self) -> None:
        """Do nothing."""


class FakeLuns:
    """The states of the Luns of a takeover group in one kernel; a lease that is not extended ends by itself.

    `closings` counts how often they were closed.
    """

    def __init__(self, clock: Callable[[], float], states: dict[str, str]) -> None:
        self.clock, self.states = clock, states
        self.closings = 0
        self.until = 0.0
        self.closed: dict[str, str] = {}

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which Luns are optimized, and which the kernel does not have."""
        present = (name for name in group.addresses if self.states.get(name) == "optimized")
        return Presence(frozenset(present), absent=frozenset(group.addresses) - self.states.keys())

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Return None."""

    def advance(self) -> None:
        """Close the Luns at the end of the last grant."""
        if self.closed and self.clock() >= self.until:
            self.states |= self.closed
            self.closed = {}

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Open the Luns."""
        if self.clock() > not_after:
            raise GrantLateError("too late")
        self.states |= {name: "optimized" for name in group.addresses if name in self.states}
        self.until = not_after + lifetime
        self.closed = {name: state.value for name, state in group.closed if name in self.states}

    def announce(self, group: GroupAddresses) -> None:
        """Do nothing."""

    def drop(self, group: GroupAddresses) -> None:
        """Close the Luns."""
        self.closings += 1
        self.closed = {}
        self.states |= {name: state.value for name, state in group.closed if name in self.states}

    def close(self) -> None:
        """Do nothing."""
