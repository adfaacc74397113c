"""A simulated cluster with one floating portal group: clocks, kernels, ZooKeeper and faults.

Real time advances in steps. Each node has a clock of its own, with an offset and a rate. The kernel removes
an address late, ZooKeeper's answers get lost, reads are old, sessions end at any time, and processes are
stopped between their decision and its effect. Only the decisions are the product's.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from random import Random
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.floating.facts import (
    Announce,
    DetectDuplicates,
    Disable,
    Drop,
    DuplicateCheck,
    Enable,
    Facts,
    Grant,
    LeaseAction,
    Release,
    Renew,
    Take,
)
from lunmapd.core.floating.lease import (
    RATE_DIFFERENCE,
    LeaseRecord,
    LeaseTimes,
    Proof,
    before_restart,
    owner_record,
    renewed_record,
)
from lunmapd.core.floating.next_action import next_action

STEP = 0.1
GRACE = 0.0
SESSION_TIMEOUT = 10.0
REQUEST_TIMEOUT = 3.0
TIMES = LeaseTimes()


def kernel_lateness(lifetime: int) -> float:
    """Return how late in seconds a timer of the kernel may end a lifetime (ADR 36, "How late the kernel is").

    The work (check_lifetime in net/ipv4/devinet.c) runs at most once a second, and rounds its time up by at
    most a quarter of a second. A timer is late by up to 8/63 of its time (LVL_START in kernel/time/timer.c).
    """
    return max(1 + 8 / 63, 0.25 + (lifetime + 0.25) * 8 / 63)


class Kind(Enum):
    """A fault of a node; all but POWER and EXPIRE last for a time."""

    STOP = "all its processes are stopped"
    KILL = "its processes are killed, and started again later"
    POWER = "it is switched off and on"
    CUT = "it does not reach ZooKeeper"
    DEAF = "its requests reach ZooKeeper, the answers get lost"
    SLOW = "its kernel handles a grant late"
    HANG = "its session lives, and its daemon decides nothing"
    STUCK = "its TPG can't be disabled"
    EXPIRE = "its session ends early"
    RESTART = "its daemon extends the lease, as before a restart"
    UNWANTED = "it is not to own the group"


class Fault(NamedTuple):
    """A fault of a node from `start` on, for `duration` seconds."""

    start: float
    node: str
    kind: Kind
    duration: float


class Defences(NamedTuple):
    """What protects an address; each can be left out to show that it is needed."""

    kill_timer: bool = True
    lease_time: bool = True
    covering: bool = True
    long_lateness: bool = True


class Tree(Struct):
    """The znodes of the group, and all their former states as (time, record, version, owner)."""

    record: LeaseRecord = LeaseRecord()
    version: int = 0
    owner: str = ""
    past: list[tuple[float, LeaseRecord, int, str]] = []

    def write(self, record: LeaseRecord, version: int) -> bool:
        """Write the record if it has this version; the ephemeral follows the owner."""
        if version != self.version:
            return False
        self.record, self.version, self.owner = record, version + 1, record.owner
        return True


class Event(NamedTuple):
    """Something that happens at a real time; with a node, only while its process of `life` runs."""

    at: float
    effect: Callable[[], None]
    node: "SimulatedNode | None" = None
    life: int = 0


class SimulatedNode:
    """A node: what its kernel has, and what its process knows."""

    def __init__(self, name: str, world: "World") -> None:
        """Start with nothing, and with a clock of its own."""
        random = world.random
        self.name, self.world = name, world
        self.offset = random.uniform(0, 1e6)
        self.rate = 1 + random.uniform(-RATE_DIFFERENCE, RATE_DIFFERENCE) / 2.1
        self.boot, self.life = 0, 0
        self.since: float | None = None
        self.until = 0.0
        self.enabled = False
        self.intervals: list[tuple[float, float]] = []
        self.touched = 0.0
        self.forget()

    def forget(self) -> None:
        """Start the process again: it knows nothing, and its calls have ended."""
        self.life += 1
        self.record, self.version, self.seen_at, self.owner_live = LeaseRecord(), -1, 0.0, False
        self.contact_at = float("inf")
        self.proof: Proof | None = None
        self.granted: int | None = None
        self.granted_for = 0
        self.announced = self.writing = self.disabling = self.granting = False
        self.check: DuplicateCheck | None = None

    def clock(self) -> float:
        """Return the node's own time."""
        return self.offset + self.rate * self.world.now

    def has(self, kind: Kind) -> bool:
        """Return whether the node has a fault now."""
        return (self.name, kind) in self.world.present

    def remove_address(self, at: float) -> None:
        """Take the address from the kernel."""
        if self.since is not None:
            self.intervals.append((self.since, at))
            self.since = None

    def power_off(self) -> None:
        """End everything; the next boot has another id."""
        self.remove_address(self.world.now)
        self.enabled = False
        self.boot += 1
        self.forget()

    def times(self) -> LeaseTimes:
        """Return the times of a lease, before a restart the longer ones."""
        longer = before_restart(TIMES)
        if not self.world.defences.long_lateness:
            longer = replace(longer, lateness=TIMES.lateness)
        return longer if self.has(Kind.RESTART) else TIMES

    def facts(self) -> Facts:
        """Return what the process knows."""
        waits = self.world.defences.lease_time or self.record.owner == self.name
        return Facts(
            node=self.name,
            boot=str(self.boot),
            times=self.times(),
            grace=GRACE,
            wanted=self.world.wanted(self),
            record=self.record if waits else replace(self.record, lease_ms=0),
            version=self.version,
            seen_at=self.seen_at,
            owner_live=self.owner_live,
            contact_at=self.contact_at,
            proof=self.proof,
            writing=self.writing,
            present=self.since is not None,
            complete=self.since is not None,
            granted=self.granted,
            granted_for=self.granted_for,
            announced=self.announced,
            enabled=self.enabled,
            stuck=self.has(Kind.STUCK),
            check=self.check,
        )

    def read(self) -> None:
        """Read the record as the node's server has it: often a former state."""
        lag = self.world.random.choice((0.0, 0.0, 0.2, 1.0))
        _, record, version, owner = next(
            state
            for state in reversed(self.world.tree.past)
            if state[0] <= self.world.now - lag or not state[2]
        )
        if version > self.version:
            self.record, self.version, self.seen_at = record, version, self.clock()
        if version == self.version:
            self.owner_live = bool(owner)

    def act(self, facts: Facts, action: LeaseAction) -> None:
        """Begin an action; its effect may come later."""
        defences = self.world.defences
        match action:
            case Take(version):
                self.write(owner_record(facts.node, facts.boot, facts.times), version)
            case Renew(version):
                is_shortened = facts.is_shortened or not defences.covering
                self.write(renewed_record(facts.record, facts.times, is_shortened=is_shortened), version)
            case Release(version, quiet, successor):
                self.write(LeaseRecord(quiet=quiet, successor=successor), version)
            case Grant():
                self.grant(action)
            case Drop():
                self.remove_address(self.world.now)
            case _:
                self.serve(action)

    def serve(self, action: LeaseAction) -> None:
        """Begin an action that neither writes the record nor changes the address."""
        match action:
            case DetectDuplicates():
                self.check = DuplicateCheck(free=True, at=self.clock())
            case Announce():
                self.announced = True
            case Enable():
                self.enabled = True
            case Disable() if not self.disabling:
                self.disabling = True
                self.world.later(self, self.world.random.choice((0.0, 0.3)), self.disabled)

    def disabled(self) -> None:
        """End a disabling, unless the commands of the TPG don't end."""
        self.disabling = False
        if not self.has(Kind.STUCK):
            self.enabled = False

    def write(self, record: LeaseRecord, version: int) -> None:
        """Send a write; neither its effect nor its answer is certain."""
        sent, life = self.clock(), self.life
        self.writing = True
        delay = self.world.random.choice((0.0, 0.1, 0.3, 1.2))
        if not self.has(Kind.CUT):
            arrival = self.world.now + delay
            self.world.events.append(Event(arrival, lambda: self.commit(record, version, sent, life)))
        self.world.later(self, REQUEST_TIMEOUT, self.written)

    def commit(self, record: LeaseRecord, version: int, sent: float, life: int) -> None:
        """Commit a write that arrived, and answer it."""
        done = self.world.tree.write(record, version)
        if life != self.life or self.has(Kind.DEAF) or self.has(Kind.CUT):
            return
        delay = self.world.random.choice((0.0, 0.1, 0.3))
        self.world.later(
            self, delay, lambda: self.answered(record, version + 1, sent) if done else self.written()
        )

    def answered(self, record: LeaseRecord, version: int, sent: float) -> None:
        """Take the answer to a write."""
        self.writing = False
        if version > self.version:
            self.record, self.version, self.seen_at = record, version, self.clock()
        if record.owner:
            self.proof = Proof(version, sent)

    def written(self) -> None:
        """Give up a request, or take its refusal."""
        self.writing = False

    def grant(self, grant: Grant) -> None:
        """Call the kernel; the kill timer ends the process that calls it too late."""
        if self.granting:
            return
        self.granting = True
        delay = self.world.random.choice((0.0, 0.0, 0.3)) + 0.7 * self.has(Kind.SLOW)
        self.world.later(self, delay, lambda: self.granted_late(grant))

    def granted_late(self, grant: Grant) -> None:
        """Let the kernel handle a grant."""
        self.granting = False
        if self.clock() > grant.not_after and self.world.defences.kill_timer:
            self.forget()
            return
        if self.since is None:
            self.since, self.announced = self.world.now, False
        lateness = self.world.random.choice((0.0, kernel_lateness(grant.lifetime)))
        self.until = self.world.now + (grant.lifetime + lateness) / self.rate
        self.granted, self.granted_for = grant.version, grant.lifetime

    def step(self) -> None:
        """Live for one step."""
        for kind in (Kind.KILL, Kind.POWER):
            if self.world.begins(self, kind):
                self.power_off() if kind is Kind.POWER else self.forget()
        if self.since is not None and self.world.now >= self.until:
            self.remove_address(self.until)
        if self.is_paused():
            return
        if self.has(Kind.CUT):
            self.contact_at = float("inf")
        else:
            self.touched = self.world.now
            self.contact_at = min(self.contact_at, self.clock())
            self.read()
        if self.version >= 0 and not self.has(Kind.HANG):
            facts = self.facts()
            self.act(facts, next_action(facts, self.clock()))

    def is_paused(self) -> bool:
        """Return whether no process of the node runs."""
        return any(self.has(kind) for kind in (Kind.STOP, Kind.KILL, Kind.POWER))


class World:
    """The cluster. Every node wants the group, unless `wanted` says otherwise."""

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int = 0,
        names: Sequence[str] = ("n1", "n2", "n3"),
        defences: Defences = Defences(),  # noqa: B008 - immutable
    ) -> None:
        """Prepare the nodes; `seed` decides each delay."""
        self.random = Random(seed)  # noqa: S311 - not a secret
        self.now = 0.0
        self.faults, self.defences = faults, defences
        self.tree = Tree(past=[(0.0, LeaseRecord(), 0, "")])
        self.events: list[Event] = []
        self.present: set[tuple[str, Kind]] = set()
        self.beginning: set[tuple[str, Kind]] = set()
        self.nodes = {name: SimulatedNode(name, self) for name in names}

    def wanted(self, node: SimulatedNode) -> bool:
        """Return whether a node believes that it is to own the group."""
        return not node.has(Kind.UNWANTED)

    def later(self, node: SimulatedNode, delay: float, effect: Callable[[], None]) -> None:
        """Let the process of a node do something after a delay, and after it is continued."""
        self.events.append(Event(self.now + delay, effect, node, node.life))

    def begins(self, node: SimulatedNode, kind: Kind) -> bool:
        """Return whether a fault begins in this step."""
        return (node.name, kind) in self.beginning

    def run(self, seconds: float) -> dict[str, list[tuple[float, float]]]:
        """Run for a time, and return the intervals in which each node had the address."""
        for count in range(int(seconds / STEP)):
            self.now = count * STEP
            self.update_faults()
            self.run_events()
            for node in self.nodes.values():
                node.step()
            self.end_sessions()
            state = (self.now, self.tree.record, self.tree.version, self.tree.owner)
            if state[1:] != self.tree.past[-1][1:]:
                self.tree.past.append(state)
        for node in self.nodes.values():
            node.remove_address(min(self.now, node.until))
        return {name: node.intervals for name, node in self.nodes.items()}

    def update_faults(self) -> None:
        """Find the faults that are present, and those that begin in this step."""
        begun = [fault for fault in self.faults if fault.start <= self.now]
        self.present = {
            (fault.node, fault.kind) for fault in begun if self.now < fault.start + fault.duration
        }
        self.beginning = {(fault.node, fault.kind) for fault in begun if self.now - STEP < fault.start}

    def run_events(self) -> None:
        """Let happen what is due: requests that were sent, and calls of processes that run."""
        due = [event for event in self.events if event.at <= self.now]
        self.events = [event for event in self.events if event.at > self.now]
        for event in due:
            if event.node is None:
                event.effect()
            elif event.node.is_paused():
                self.events.append(event)
            elif event.life == event.node.life:
                event.effect()

    def end_sessions(self) -> None:
        """Remove the ephemeral of an owner that was silent for too long, or whose session ends early."""
        owner = self.nodes.get(self.tree.owner)
        if owner is None:
            return
        silent = self.now - owner.touched >= SESSION_TIMEOUT
        if silent or self.begins(owner, Kind.EXPIRE):
            self.tree.owner = ""
