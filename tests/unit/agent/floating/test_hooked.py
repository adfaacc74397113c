"""A takeover group with a hook on fakes: in which order a node promotes, serves and demotes."""

import pytest
from msgspec.structs import replace

from fakes.floating import FakeAddresses, FakeStore, FakeTpgs, FakeTree
from fakes.hooks import FakeHooks, FakeStorage
from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.agent.floating.view import GroupView
from lunmapd.core.base.lunmap import FloatingGroup, GroupId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.documents import Wish
from lunmapd.core.floating.promotion import HookCall
from lunmapd.service.lease.hooked import Hooked
from support.hooked import FIT, TIMES, Cluster, Fault, Kind
from support.takeover_map import T


@pytest.fixture
def cluster() -> Cluster:
    """Give a cluster whose first node has the storage promoted; the storage refuses a second one."""
    made = Cluster(FakeStorage(admits_two=False))
    made.run(12)
    assert made.serving == ["n1"]
    return made


def view(cluster: Cluster, node: str) -> GroupView:
    """Return the group as a node sees it."""
    return cluster.nodes[node].group.view


def test_the_storage_moves_as_an_admin_wishes(cluster: Cluster) -> None:
    """The path is closed first, and opened only when the storage is promoted."""
    n1, n2 = cluster.nodes.values()
    cluster.tree.wish = Wish("n2")
    while n1.luns.states["a"] == "optimized":
        assert cluster.storage.promoted == {"n1"}
        cluster.run(0.05)
    assert cluster.storage.promoted == {"n1"}
    while n2.luns.states["a"] != "optimized":
        assert cluster.now < 1020
        cluster.run(0.05)
    assert cluster.storage.promoted == {"n2"}
    cluster.run(2)
    assert (cluster.serving, cluster.most) == (["n2"], 1)
    assert [view(cluster, node).demoted for node in ("n1", "n2")] == [{"a"}, set()]


def test_a_drained_owner_demotes_before_another_node_promotes(cluster: Cluster) -> None:
    """It is no candidate any more, so it releases the group in order, and does not get it back."""
    n1 = cluster.nodes["n1"]
    n1.group.judgement = Judgement(fit=False, served=0, reason="the node is drained")
    while n1.luns.states["a"] == "optimized":
        cluster.run(0.05)
    assert cluster.storage.promoted == {"n1"}
    cluster.run(8)
    assert (cluster.serving, cluster.most) == (["n2"], 1)
    assert view(cluster, "n1").demoted == {"a"}
    cluster.run(60)
    assert cluster.serving == ["n2"]


def test_a_slow_hook_is_waited_for(cluster: Cluster) -> None:
    """The owner renews the lease while its hook demotes, and while that of the next owner promotes."""
    for node in cluster.nodes.values():
        node.hooks.seconds = 12.0
    cluster.tree.wish = Wish("n2")
    cluster.run(11)
    assert (cluster.storage.promoted, view(cluster, "n1").phase) == ({"n1"}, "releasing")
    cluster.run(11)
    assert (cluster.storage.promoted, view(cluster, "n2").phase) == (set(), "taking")
    cluster.run(4)
    assert (cluster.serving, cluster.most) == (["n2"], 1)


def test_the_storage_of_a_stopped_daemon_is_demoted(cluster: Cluster) -> None:
    """Its other process does it at the end of the lease, before another node may promote."""
    cluster.run(TIMES.total, (Fault(0, "n1", Kind.STOP, 60),))
    assert cluster.storage.promoted == set()
    cluster.run(30)
    assert (cluster.serving, cluster.most) == (["n2"], 1)


def test_a_daemon_that_goes_on_does_not_take_the_storage_back_at_once(cluster: Cluster) -> None:
    """It was not fit while it was stopped, so it waits as after any other fault."""
    cluster.run(20, (Fault(0, "n1", Kind.STOP, 18),))
    assert cluster.serving == ["n2"]
    cluster.run(25)
    assert cluster.serving == ["n2"]
    cluster.run(15)
    assert cluster.serving == ["n1"]


def test_a_daemon_that_is_started_again_goes_on(cluster: Cluster) -> None:
    """The hook reports that the storage is promoted, so nothing is interrupted."""
    n1 = cluster.nodes["n1"]
    before = n1.luns.closings
    cluster.run(10, (Fault(0, "n1", Kind.KILL, 1),))
    assert (cluster.serving, n1.luns.closings) == (["n1"], before)


def test_a_killed_daemon_that_can_not_reach_zookeeper_demotes(cluster: Cluster) -> None:
    """It can't know whether its lease goes on, so it keeps what it finds for a short time only."""
    cluster.run(8, (Fault(0, "n1", Kind.KILL, 1), Fault(0.2, "n1", Kind.CUT, 30)))
    n1 = cluster.nodes["n1"]
    assert "n1" not in cluster.storage.promoted or not n1.runs


def test_a_node_whose_hook_fails_lets_another_one_serve(cluster: Cluster) -> None:
    """It reports why, and is tried again when the back-off is over."""
    n2 = cluster.nodes["n2"]
    n2.hooks.broken = 1
    cluster.tree.wish = Wish("n2")
    cluster.run(5)
    problem = view(cluster, "n2").problem
    assert problem is not None
    assert problem.reason is Reason.HOOK_FAILED
    assert "'drbd promote' failed for a: exit status 1: the disk is Outdated" in problem.message
    assert view(cluster, "n2").report.reason == problem.message
    cluster.run(10)
    assert cluster.serving == ["n1"]


def test_a_hook_that_hangs_in_demoting_does_not_give_the_storage_away(cluster: Cluster) -> None:
    """The storage refuses the next owner as long as it is promoted; then it is served."""
    n1 = cluster.nodes["n1"]
    cluster.tree.wish = Wish("n2")
    n1.hooks.hangs = True
    cluster.run(40)
    assert cluster.storage.promoted == {"n1"}
    problem = view(cluster, "n1").problem
    assert problem is not None
    assert problem.reason is Reason.HOOK_FAILED
    n1.hooks.hangs = False
    cluster.run(90)
    assert (len(cluster.serving), cluster.most) == (1, 1)


def test_a_group_that_left_the_map_keeps_its_storage_promoted(cluster: Cluster) -> None:
    """Its Luns are as the map says, and nobody else takes them."""
    n1 = cluster.nodes["n1"]
    n1.group.listed, n1.group.plan = False, n1.group.plan.ended()
    cluster.run(10, (Fault(0, "n2", Kind.STOP, 60),))
    assert cluster.storage.promoted == {"n1"}
    assert n1.group.is_over


def test_a_group_that_left_the_map_does_not_demote_storage_of_others(cluster: Cluster) -> None:
    """Another group, or an admin, may promote it on a node that did not own the group."""
    n2 = cluster.nodes["n2"]
    n2.group.listed, n2.group.plan = False, n2.group.plan.ended()
    while not n2.group.is_over:
        cluster.run(0.05)
    n2.runs = False
    cluster.storage.promoted = {"n2"}
    cluster.run(15)
    assert cluster.storage.promoted == {"n2"}


def test_a_demoted_node_knows_which_luns_it_can_not_read(cluster: Cluster) -> None:
    """Nor does one that has not asked its hook yet."""
    plan = cluster.nodes["n2"].group.plan
    cluster.nodes["n2"].start()
    assert view(cluster, "n2").demoted == {"a"}
    assert replace(plan, hook=None).addresses.hook is None


GOLD = FloatingGroup(1001, ("10.0.0.50:3260",), ("n1", "n2"), 77)
CALL = HookCall("drbd", T, "gold", "n1", (("a", "/dev/mapper/drbd-r0"),))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class FloatingNode:
    """A node with a floating portal group whose Luns have a hook."""

    def __init__(self, name: str, clock: Clock, tree: FakeTree, storage: FakeStorage) -> None:
        self.addresses, self.tpgs = FakeAddresses(clock, []), FakeTpgs()
        self.hooks, self.due = FakeHooks(name, storage, clock), 0.0
        edges = Edges(FakeStore(tree, name), Hooked(self.addresses, self.hooks, "g"), self.tpgs, clock)
        plan = GroupPlan(GroupId(T, "gold"), GOLD, hook=CALL)
        self.group = LeasedGroup(plan, Identity(name, "boot"), edges, TIMES)
        self.group.judgement = FIT

    @property
    def serves(self) -> bool:
        """Whether hosts reach a target of this node."""
        return self.addresses.has("10.0.0.50") or bool(self.tpgs.enabled)


def test_a_floating_group_serves_only_promoted_storage() -> None:
    """Its addresses come and go, and its TPG is enabled and disabled, while the storage is promoted there."""
    clock, tree, storage = Clock(), FakeTree(), FakeStorage()
    nodes = {name: FloatingNode(name, clock, tree, storage) for name in ("n1", "n2")}
    owners: list[set[str]] = []
    while clock.now < 1020:
        tree.wish = Wish("n2") if clock.now > 1012 else Wish()
        for name, node in nodes.items():
            node.hooks.advance()
            if node.due <= clock.now:
                node.due = clock.now + max(0.05, node.group.step())
            assert not node.serves or name in storage.promoted
        owners += [] if owners[-1:] == [storage.promoted] else [set(storage.promoted)]
        clock.now += 0.05
    assert owners == [set(), {"n1"}, set(), {"n2"}]
    assert [node.serves for node in nodes.values()] == [False, True]
