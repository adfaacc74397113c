"""A takeover group with a hook, on nodes that run side by side in simulated time."""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from fakes.floating import FakeLuns, FakeStore, FakeTree
from fakes.hooks import FakeHooks, FakeStorage
from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import plans_for
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.floating.lease import LeaseTimes
from lunmapd.service.lease.hooked import Hooked
from lunmapd.service.lease.luns import NoTpg
from support.takeover_map import GROUP, TAKEN, TAKEOVER

HOOKED: Lunmap = replace(TAKEOVER, luns={"a": replace(TAKEN, hook="drbd")})
TIMES = LeaseTimes()
FIT = Judgement(fit=True, served=1)
_STEP = 0.05


class Kind(StrEnum):
    """What happens to a node for some time."""

    STOP = "its daemon is stopped"
    KILL = "all its processes end, and are started again"
    POWER = "it has no power"
    CUT = "ZooKeeper does not answer it"
    HANG = "its hook hangs"
    BREAK = "its hook fails"


class Fault(Struct, frozen=True):
    """A fault of a node, from a time on, in seconds."""

    at: float
    node: str
    kind: Kind
    seconds: float


class Node:
    """A node with the group."""

    def __init__(self, name: str, cluster: "Cluster") -> None:
        self.name, self.cluster, self.boots = name, cluster, 1
        self.store = FakeStore(cluster.tree, name)
        self.luns = FakeLuns(cluster.clock, {"a": "standby"})
        self.runs, self.lives, self.due = True, True, 0.0
        self.start()

    def start(self) -> None:
        """Start the daemon with its processes."""
        self.hooks = FakeHooks(self.name, self.cluster.storage, self.cluster.clock)
        edges = Edges(self.store, Hooked(self.luns, self.hooks, "g"), NoTpg(), self.cluster.clock)
        me = Identity(self.name, f"boot {self.boots}")
        self.group = LeasedGroup(plans_for(HOOKED, self.name)[GROUP], me, edges, TIMES)
        self.group.judgement = FIT

    def begin(self, kind: Kind) -> None:
        """Let a fault begin."""
        match kind:
            case Kind.STOP:
                self.runs = False
            case Kind.KILL:
                self.runs = self.lives = False
            case Kind.POWER:
                self.runs = self.lives = False
                self.cluster.tree.live.discard(self.name)
                self.luns.states["a"] = "standby"
                self.cluster.storage.promoted.discard(self.name)
            case Kind.CUT:
                self.cluster.tree.cut.add(self.name)
                self.cluster.tree.live.discard(self.name)
            case Kind.HANG:
                self.hooks.hangs = True
            case _:
                self.hooks.broken = 1

    def end(self, kind: Kind) -> None:
        """Let a fault end."""
        match kind:
            case Kind.STOP:
                self.runs = self.lives
            case Kind.CUT:
                self.cluster.tree.cut.discard(self.name)
            case Kind.HANG:
                self.hooks.hangs = False
            case Kind.BREAK:
                self.hooks.broken = None
            case _:
                self.boots += kind is Kind.POWER
                self.runs = self.lives = True
                self.start()


class Cluster:
    """Two nodes; `most` is how many of them had the storage promoted at a time."""

    def __init__(self, storage: FakeStorage | None = None) -> None:
        self.now, self.tree, self.storage = 1000.0, FakeTree(), storage or FakeStorage()
        self.nodes = {name: Node(name, self) for name in ("n1", "n2")}
        self.most = 0

    def clock(self) -> float:
        """Return the time that all nodes share."""
        return self.now

    def run(self, seconds: float, faults: tuple[Fault, ...] = ()) -> None:
        """Let all nodes run for a time, with faults from its beginning on."""
        start = self.now
        events = [(start + each.at, each, True) for each in faults]
        events += [(start + each.at + each.seconds, each, False) for each in faults]
        events.sort(key=lambda event: event[0])
        while self.now < start + seconds:
            while events and events[0][0] <= self.now:
                _, fault, begins = events.pop(0)
                node = self.nodes[fault.node]
                node.begin(fault.kind) if begins else node.end(fault.kind)
            for node in self.nodes.values():
                self._step(node)
            self.now += _STEP

    def _step(self, node: Node) -> None:
        if node.lives:
            node.luns.advance()
            node.hooks.advance()
        if node.runs and node.due <= self.now:
            node.due = self.now + max(_STEP, node.group.step())
        self.most = max(self.most, len(self.storage.promoted))

    @property
    def serving(self) -> list[str]:
        """The nodes that have the storage promoted and the path open."""
        opened = (name for name, node in self.nodes.items() if node.luns.states["a"] == "optimized")
        return [name for name in opened if name in self.storage.promoted]
