"""Takeover groups of two nodes on fakes: which node has the Luns optimized, and what ends that."""

import pytest
from msgspec.structs import replace

from fakes.floating import FakeLuns, FakeStore, FakeTree
from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import plans_for
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.core.base.lunmap import AluaState, Lunmap
from lunmapd.core.floating.documents import Wish
from lunmapd.core.floating.lease import LeaseTimes
from lunmapd.service.lease.luns import NoTpg
from support.takeover_map import GROUP, TAKEN, TAKEOVER, THREE

TIMES = LeaseTimes()
FIT, UNFIT = Judgement(fit=True, served=2), Judgement(fit=False, served=1, reason="luns/b fails")
BOTH: Lunmap = replace(
    TAKEOVER, luns={"a": TAKEN, "b": replace(TAKEN, serial="2" * 32, others=AluaState.UNAVAILABLE)}
)


class Node:
    """A node with the group on fakes."""

    def __init__(self, name: str, cluster: "Cluster") -> None:
        self.name, self.cluster = name, cluster
        self.store = FakeStore(cluster.tree, name)
        self.luns = FakeLuns(cluster.clock, {"a": "standby", "b": "unavailable"})
        self.alive, self.due = True, 0.0
        self.group = self.started()
        self.group.judgement = FIT

    def started(self, boot: str = "boot") -> LeasedGroup:
        """Return the group as a new daemon begins with it."""
        edges = Edges(self.store, self.luns, NoTpg(), self.cluster.clock)
        plan = plans_for(BOTH, self.name)[GROUP]
        return LeasedGroup(plan, Identity(self.name, boot), edges, TIMES)


class Cluster:
    """Nodes that run the group side by side; the clock goes on where all of them wait."""

    def __init__(self) -> None:
        self.now, self.tree = 1000.0, FakeTree()
        self.nodes = [Node(name, self) for name in ("n1", "n2")]

    def clock(self) -> float:
        """Return the time that all nodes share."""
        return self.now

    def run(self, seconds: float) -> None:
        """Let all groups step for a time; a Lun is never optimized on two nodes."""
        end = self.now + seconds
        while self.now < end:
            for node in self.nodes:
                if node.alive and node.due <= self.now:
                    node.due = self.now + max(0.01, node.group.step())
                for lun in ("a", "b"):
                    assert [each.luns.states.get(lun) for each in self.nodes].count("optimized") <= 1
            self.now += 0.01

    def states(self) -> list[dict[str, str]]:
        """Return the states of the Luns on each node."""
        return [dict(node.luns.states) for node in self.nodes]


OPEN = {"a": "optimized", "b": "optimized"}
SHUT = {"a": "standby", "b": "unavailable"}


@pytest.fixture
def cluster() -> Cluster:
    """Give a cluster whose first node owns the group."""
    made = Cluster()
    made.run(12)
    assert made.states() == [OPEN, SHUT]
    assert [node.group.view.phase for node in made.nodes] == ["owner", "standby"]
    return made


def test_the_luns_move_as_an_admin_wishes(cluster: Cluster) -> None:
    """The owner closes its paths first, each with the state of its Lun."""
    cluster.tree.wish = Wish("n2")
    cluster.run(2)
    assert cluster.states() == [SHUT, OPEN]


def test_another_node_takes_the_luns_over_from_a_dead_one(cluster: Cluster) -> None:
    """After the lease time and the grace, whatever the dead one's kernel still has."""
    first = cluster.nodes[0]
    first.alive = False
    cluster.tree.live.discard("n1")
    first.luns.states = dict(SHUT)
    cluster.run(TIMES.total + 2)
    assert cluster.states()[1] == SHUT
    cluster.run(4)
    assert cluster.states()[1] == OPEN


def test_an_owner_that_is_cut_off_closes_its_paths_before_another_opens_its_own(cluster: Cluster) -> None:
    """It can't renew its lease; back in contact it waits, since the other serves well."""
    cluster.tree.cut.add("n1")
    cluster.tree.live.discard("n1")
    cluster.run(TIMES.lifetime + TIMES.slack + 1.1)
    assert cluster.states() == [SHUT, SHUT]
    cluster.run(6)
    assert cluster.states() == [SHUT, OPEN]
    cluster.tree.cut.clear()
    cluster.run(5)
    assert cluster.states() == [SHUT, OPEN]


def test_a_node_that_no_longer_serves_a_lun_gives_all_up(cluster: Cluster) -> None:
    """The Luns of a list move together."""
    cluster.nodes[0].group.judgement = UNFIT
    cluster.run(3)
    assert cluster.states() == [SHUT, OPEN]


def test_a_state_that_was_set_by_hand_is_put_right(cluster: Cluster) -> None:
    """A path that is opened beside the lease is closed, one that is closed is opened."""
    cluster.nodes[0].luns.states["a"] = "standby"
    cluster.run(2.5)
    assert cluster.states() == [OPEN, SHUT]
    cluster.nodes[0].alive = False
    cluster.nodes[0].luns.states = dict(SHUT)
    cluster.nodes[1].luns.states["a"] = "optimized"
    cluster.run(2.5)
    assert cluster.states()[1] == SHUT


def test_a_lun_that_is_made_later_is_opened_on_the_owner(cluster: Cluster) -> None:
    """The pass makes it closed; until then the owner owns the group without it."""
    for node in cluster.nodes:
        del node.luns.states["b"]
    cluster.run(3)
    assert [node.group.view.phase for node in cluster.nodes] == ["owner", "standby"]
    for node in cluster.nodes:
        node.luns.states["b"] = "unavailable"
    cluster.run(2.5)
    assert cluster.states() == [OPEN, SHUT]


def test_a_restarted_daemon_goes_on_with_the_luns_open(cluster: Cluster) -> None:
    """Its record and the kernel's states are there still, so hosts see nothing."""
    first = cluster.nodes[0]
    first.group = first.started()
    before = first.luns.closings
    cluster.run(3)
    assert (cluster.states(), first.luns.closings) == ([OPEN, SHUT], before)
    assert first.group.view.phase == "owner"


def test_a_group_that_the_map_no_longer_has_leaves_its_luns_alone(cluster: Cluster) -> None:
    """A pass gives them the states of the new map; the lease is released."""
    first = cluster.nodes[0]
    first.group.listed, first.group.plan = False, first.group.plan.ended()
    cluster.nodes[1].alive = False
    cluster.run(2)
    assert cluster.states()[0] == OPEN
    assert cluster.tree.lease is not None
    assert cluster.tree.lease.record.owner == ""
    assert first.group.is_over


def test_a_node_follows_the_groups_of_its_lists() -> None:
    """A node outside the list follows none, nor one that the map lacks."""
    assert plans_for(THREE, "n3") == plans_for(THREE, "n9") == {}
    assert plans_for(BOTH, "n2")[GROUP].luns == (("a", "standby"), ("b", "unavailable"))
