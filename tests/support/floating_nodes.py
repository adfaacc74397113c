"""A floating group of nodes on fakes, whose steps share one clock."""

from typing import Any

import pytest

from fakes.floating import FakeAddresses, FakeStore, FakeTpgs, FakeTree
from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.core.base.lunmap import FloatingGroup, GroupId
from lunmapd.core.base.messages import Message
from lunmapd.core.floating.lease import LeaseTimes
from support.small_map import T

ID = GroupId(T, "gold")
GOLD = FloatingGroup(1001, ("10.0.0.50:3260", "[2001:db8::50]:3260"), ("n1", "n2"), 77)
ADDRESSES = ("10.0.0.50", "2001:db8::50")
FIT, UNFIT = Judgement(fit=True, served=2), Judgement(fit=False, served=1, reason="db1 fails")
TIMES = LeaseTimes()


class Node:
    """A node with its group on fakes."""

    def __init__(self, name: str, cluster: "Cluster") -> None:
        self.name, self.cluster = name, cluster
        self.store = FakeStore(cluster.tree, name)
        self.addresses = FakeAddresses(cluster.clock, cluster.network)
        self.tpgs = FakeTpgs()
        self.alive, self.due = True, 0.0
        self.group = self.started("boot")
        self.group.judgement = FIT

    def started(self, boot: str) -> LeasedGroup:
        """Return the group as a new daemon begins with it."""
        edges = Edges(self.store, self.addresses, self.tpgs, self.cluster.clock)
        return LeasedGroup(GroupPlan(ID, self.cluster.map), Identity(self.name, boot), edges, TIMES)

    @property
    def phase(self) -> str:
        """The phase of the group."""
        return self.group.view.phase

    @property
    def serves(self) -> bool:
        """Whether hosts reach the group here."""
        return all(map(self.addresses.has, ADDRESSES)) and self.group.plan.tpg in self.tpgs.enabled

    def die(self) -> None:
        """End all processes of the node; the kernel lives, and the session ends at once."""
        self.alive = False
        self.cluster.tree.live.discard(self.name)


class Cluster:
    """Nodes that run their groups side by side; the clock goes on where all of them wait."""

    def __init__(self, group: FloatingGroup = GOLD) -> None:
        self.now, self.map = 1000.0, group
        self.tree, self.network = FakeTree(), list[FakeAddresses]()
        self.nodes = [Node(name, self) for name in group.nodes]

    def clock(self) -> float:
        """Return the time that all nodes share."""
        return self.now

    def run(self, seconds: float) -> None:
        """Let all groups step for a time; no address is ever on two nodes."""
        end = self.now + seconds
        while self.now < end:
            for node in self.nodes:
                if node.alive and node.due <= self.now:
                    node.due = self.now + max(0.01, node.group.step())
                assert sum(each.addresses.has(ADDRESSES[0]) for each in self.nodes) <= 1
            self.now += 0.01

    def owner(self) -> str:
        """Return the node that serves the group, "" for none."""
        return next((node.name for node in self.nodes if node.serves), "")


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the kinds and texts of what the journal got."""
    records: list[Any] = caplog.records
    names = {message.value: message.name for message in Message}
    return [(names[record.MESSAGE_ID], record.getMessage()) for record in records]
