"""A floating group of two nodes on fakes: who owns it, with which addresses, and what is shown of it."""

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from fakes.floating import FakeAddresses, FakeStore, FakeTpgs, FakeTree
from lunmapd.agent.floating.group import Edges, LeasedGroup
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.inability import UNABLE_AFTER, UNABLE_FOR
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.core.base.lunmap import FloatingGroup, GroupId
from lunmapd.core.base.messages import Message
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.documents import Wish
from lunmapd.core.floating.lease import HEAD_START, LeaseRecord, LeaseTimes, before_restart
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.moving import Others
from lunmapd.store.tree.floating import UNWRITTEN, LeaseZnode
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


@pytest.fixture
def cluster() -> Cluster:
    """Give a cluster whose first node serves the group."""
    made = Cluster()
    made.run(12)
    assert made.owner() == "n1"
    return made


def messages(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the kinds and texts of what the journal got."""
    records: list[Any] = caplog.records
    names = {message.value: message.name for message in Message}
    return [(names[record.MESSAGE_ID], record.getMessage()) for record in records]


def test_a_new_group_is_taken_after_a_lease_time(caplog: pytest.LogCaptureFixture) -> None:
    """A lease that was never written may stand for a deleted one, so the first node waits."""
    caplog.set_level(logging.INFO)
    cluster = Cluster()
    n1, n2 = cluster.nodes
    cluster.run(TIMES.total)
    assert (cluster.owner(), n1.phase, n2.phase) == ("", "waiting", "standby")
    assert [node.group.view.owner for node in cluster.nodes] == ["", ""]
    assert [node.group.view.chosen for node in cluster.nodes] == ["n1", "n1"]
    cluster.run(4)
    assert (cluster.owner(), n1.phase, n2.phase) == ("n1", "owner", "standby")
    assert n1.tpgs.enabled == {(T, 1001): 77}
    assert n1.addresses.announced == 2
    assert 4 < n1.group.view.lease_end - cluster.now <= 6
    assert n1.group.view.takes == 1
    assert messages(caplog) == [("GROUP_TAKEN", f"the node serves floating group gold of {T}")]


def test_an_owner_goes_on_as_long_as_it_renews(cluster: Cluster) -> None:
    """The addresses are there without a gap, and each renewal is one write."""
    before = cluster.nodes[0].store.writes
    for _ in range(30):
        cluster.run(1)
        assert cluster.owner() == "n1"
    assert 28 <= cluster.nodes[0].store.writes - before <= 31
    assert cluster.nodes[0].addresses.announced == 2


def test_an_admin_moves_a_group(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """The owner releases the group in order, and the wished node serves it at once and keeps it."""
    caplog.set_level(logging.INFO)
    cluster.tree.wish = Wish("n2")
    cluster.run(1.5)
    assert cluster.owner() == "n2"
    assert messages(caplog) == [
        ("GROUP_RELEASED", f"the node has released floating group gold of {T}; n2 is to take it"),
        ("GROUP_TAKEN", f"the node serves floating group gold of {T} after it was released"),
    ]
    cluster.run(60)
    assert cluster.owner() == "n2"


def test_a_wish_ends_when_another_node_takes_the_group(cluster: Cluster) -> None:
    """Otherwise the group would move once more when the wished node is fit again."""
    cluster.tree.wish = Wish("n2")
    cluster.run(2)
    cluster.nodes[1].group.judgement = UNFIT
    cluster.run(3)
    assert (cluster.owner(), cluster.tree.wish) == ("n1", Wish())
    cluster.nodes[1].group.judgement = FIT
    cluster.run(60)
    assert cluster.owner() == "n1"


def test_a_group_returns_to_the_preferred_node(cluster: Cluster) -> None:
    """The node takes the group back once it has been fit for the time that the map says."""
    n1, n2 = cluster.nodes
    n1.group.judgement = UNFIT
    cluster.run(3)
    assert cluster.owner() == "n2"
    assert (n1.group.view.report.fit, n1.group.view.report.reason) == (False, "db1 fails")
    n1.group.judgement = FIT
    cluster.run(GOLD.failback_after - 2)
    assert cluster.owner() == "n2"
    cluster.run(5)
    assert cluster.owner() == "n1"
    assert n2.phase == "standby"


def test_a_dead_owner_is_followed_after_its_lease(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """The next node waits for the lease time and the grace by its own clock, even with the session gone."""
    caplog.set_level(logging.INFO)
    cluster.nodes[0].die()
    cluster.run(TIMES.total + GOLD.grace - 1.1)
    assert cluster.owner() == ""
    cluster.run(2.2)
    assert cluster.owner() == "n2"
    text = f"the node serves floating group gold of {T}, since the lease of n1 has ended"
    assert messages(caplog)[-1] == ("GROUP_TAKEN", text)


def test_a_node_without_zookeeper_loses_the_group(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    """The addresses go with the lease, the TPG is disabled, and the journal says that the lease has ended."""
    n1, _ = cluster.nodes
    cluster.tree.cut.add("n1")
    cluster.run(7)
    assert (n1.tpgs.enabled, n1.addresses.presence(n1.group.plan.addresses).present) == ({}, frozenset())
    kind, text = messages(caplog)[-1]
    assert kind == "GROUP_LOST"
    assert text.startswith(f"the lease of floating group gold of {T} has ended: no answer from ZooKeeper")
    cluster.tree.live.discard("n1")
    cluster.run(6)
    assert cluster.owner() == "n2"
    cluster.tree.cut.clear()
    cluster.run(20)
    assert cluster.owner() == "n2"
    assert n1.phase == GroupPhase.STANDBY


def test_a_lost_answer_permits_no_grant(cluster: Cluster) -> None:
    """A renewal whose answer is lost is no proof, so the addresses go though the record was written."""
    n1, n2 = cluster.nodes
    n1.store.loses_answers = True
    cluster.run(8)
    assert cluster.owner() == ""
    assert not n2.serves
    n1.store.loses_answers = False
    cluster.run(3)
    assert cluster.owner() == "n1"


def test_a_restarted_daemon_keeps_the_addresses(cluster: Cluster) -> None:
    """Before its first pass a new daemon of the same boot goes by the report of the former one: no pause."""
    n1, _ = cluster.nodes
    n1.group = n1.started("boot")
    for _ in range(10):
        cluster.run(1)
        assert cluster.owner() == "n1"


def test_a_rebooted_owner_is_followed_at_once_or_takes_the_group_again(cluster: Cluster) -> None:
    """A reboot ends the lease by itself; before its first pass the node is not fit."""
    n1, _ = cluster.nodes
    n1.addresses.until.clear()
    n1.tpgs.enabled.clear()
    n1.group = n1.started("another boot")
    cluster.run(1)
    assert n1.phase == GroupPhase.STANDBY
    n1.group.judgement = FIT
    cluster.run(2)
    assert cluster.owner() == "n1"


def test_a_slow_kernel_gets_no_late_grant(cluster: Cluster) -> None:
    """A grant that can't be made in time fails, and the problem is shown."""
    n1, _ = cluster.nodes
    n1.addresses.slow = 2.0
    cluster.run(8)
    assert cluster.owner() == ""
    assert n1.group.view.problem == Failure(Reason.LEASE_UNBOUNDED, "too late")


def test_commands_that_dont_end_are_left_to_the_grace(cluster: Cluster) -> None:
    """The addresses move, but only after the grace: the former owner may still write."""
    n1, n2 = cluster.nodes
    n1.tpgs.stuck = True
    cluster.tree.wish = Wish("n2")
    cluster.run(1.5)
    assert cluster.tree.lease is not None
    assert not cluster.tree.lease.record.quiet
    assert n1.group.view.problem == Failure(Reason.STUCK, "commands don't end")
    cluster.run(2.5)
    assert n2.serves
    n1.tpgs.stuck = False
    cluster.run(3)
    assert n1.tpgs.enabled == {}


def test_an_address_in_use_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    """Another machine that answers for an address keeps the group from being served, and is named."""
    cluster = Cluster()
    stranger = FakeAddresses(cluster.clock, cluster.network)
    stranger.until[ADDRESSES[1]] = cluster.now + 30
    cluster.run(20)
    n1, _ = cluster.nodes
    assert n1.phase == GroupPhase.IN_USE
    problem = n1.group.view.problem
    assert problem is not None
    assert problem.reason is Reason.ADDRESS_IN_USE
    assert "2001:db8::50" in problem.message
    assert "02:00:00:00:00:01" in problem.message
    assert {kind for kind, _ in messages(caplog)} == {"ADDRESS_IN_USE"}
    cluster.run(20)
    assert cluster.owner() == "n1"


def test_an_interface_without_a_link_makes_a_node_unfit(cluster: Cluster) -> None:
    """The group moves before a host notices."""
    n1, _ = cluster.nodes
    n1.addresses.problem = Failure(Reason.NO_LINK, "eth1 has no link")
    cluster.run(3)
    assert cluster.owner() == "n2"
    assert n1.group.view.report.reason == "eth1 has no link"
    assert n1.group.view.problem == n1.addresses.problem


def test_a_node_that_leaves_gives_the_group_up(cluster: Cluster) -> None:
    """At a shutdown the group moves in order, and the node takes it no more."""
    n1, _ = cluster.nodes
    n1.group.leaving = True
    cluster.run(2)
    assert cluster.owner() == "n2"
    assert n1.group.view.owner == "n2"


def test_a_group_that_left_the_map_is_given_up(cluster: Cluster) -> None:
    """The node disables the TPG, drops the addresses, releases the lease and is done."""
    n1, _ = cluster.nodes
    n1.group.listed = False
    cluster.nodes = [n1]
    cluster.run(2)
    assert n1.group.is_over
    assert (n1.tpgs.enabled, n1.addresses.until) == ({}, {})
    assert cluster.tree.lease is not None
    assert cluster.tree.lease.record == LeaseRecord(successor="n2")


def test_a_chosen_node_that_hangs_is_passed_over(cluster: Cluster) -> None:
    """A preferred node whose session lives and whose daemon does nothing leaves the group to the next one."""
    n1, n2 = cluster.nodes
    cluster.tree.wish = Wish("n2")
    n2.alive = False
    cluster.run(1)
    assert cluster.owner() == ""
    cluster.run(10)
    assert cluster.owner() == "n1"
    assert n1.group.view.wish in {"", "n2"}


def test_a_lease_that_was_made_anew_proves_nothing(cluster: Cluster) -> None:
    """An owner whose lease was deleted drops the addresses, and the next one waits a lease time."""
    cluster.tree.lease = LeaseZnode(UNWRITTEN, 0, 2)
    cluster.run(2)
    assert cluster.owner() == ""
    cluster.run(10)
    assert cluster.owner() == "n1"


def test_a_lease_of_the_past_is_followed_and_waited_for(cluster: Cluster) -> None:
    """After ZooKeeper was put back to older data a node forgets the version that a write was refused for."""
    n1, _ = cluster.nodes
    cluster.run(10)
    cluster.tree.lease = LeaseZnode(LeaseRecord(), 1, 1)
    cluster.run(10)
    assert cluster.owner() == "n1"
    n1.die()
    cluster.run(TIMES.total + GOLD.grace - 0.5)
    assert cluster.owner() == ""
    cluster.run(10)
    assert cluster.owner() == "n2"


def test_a_group_that_left_the_map_is_released_once_zookeeper_answers(cluster: Cluster) -> None:
    """A release that reached no server is repeated, so that the next owner need not wait for the lease."""
    n1, _ = cluster.nodes
    n1.group.listed = False
    cluster.nodes = [n1]
    cluster.tree.cut.add("n1")
    cluster.run(2)
    assert not n1.group.is_over
    assert (n1.tpgs.enabled, n1.addresses.until) == ({}, {})
    cluster.tree.cut.clear()
    cluster.run(1)
    assert n1.group.is_over
    assert cluster.tree.lease is not None
    assert cluster.tree.lease.record == LeaseRecord(successor="n2")


def test_addresses_on_another_interface_are_announced(cluster: Cluster) -> None:
    """If the map names another interface, hosts learn its hardware address and keep their sessions."""
    n1, _ = cluster.nodes
    n1.group.plan = GroupPlan(ID, replace(GOLD, interface="eth1"))
    for _ in range(30):
        cluster.run(0.1)
        assert cluster.owner() == "n1"
    assert n1.addresses.announced == 4
    assert n1.group.plan.addresses in n1.addresses.granted


def test_an_owner_whose_addresses_cant_be_read_is_followed(cluster: Cluster) -> None:
    """It can renew nothing, but its session lives: its report lets another node take the group."""
    n1, n2 = cluster.nodes
    n1.addresses.broken = True
    cluster.run(TIMES.total + GOLD.grace + 1)
    assert cluster.owner() == "n2"
    assert cluster.tree.reports["n1"].reason == "the lease process was not ready"
    cluster.run(60)
    assert cluster.owner() == "n2"
    n1.addresses.broken = False
    cluster.run(GOLD.failback_after - 2)
    assert n2.serves
    cluster.run(5)
    assert cluster.owner() == "n1"


def problem_of(node: Node) -> Failure | None:
    """Return what keeps a node from serving the group."""
    return node.group.view.problem


def test_a_node_whose_kernel_refuses_to_enable_the_tpg_gives_the_group_up(cluster: Cluster) -> None:
    """Its last pass shows nothing wrong, so the refusal itself makes it unfit until it may try again."""
    n1, n2 = cluster.nodes
    n1.tpgs.refusal = "could not enable TPG 1001"
    n1.tpgs.enabled.clear()
    cluster.run(UNABLE_AFTER + 2)
    assert n2.serves
    assert cluster.tree.reports["n1"].reason == "could not enable TPG 1001"
    assert problem_of(n1) == Failure(Reason.KERNEL_REFUSED, "could not enable TPG 1001")
    cluster.run(UNABLE_FOR + 1)
    assert problem_of(n1) is None
    assert cluster.tree.reports["n1"].fit
    n1.tpgs.refusal = ""
    cluster.run(GOLD.failback_after + 2)
    assert n1.serves


def test_a_node_that_fails_again_and_again_gets_the_group_back_later(cluster: Cluster) -> None:
    """Each time that it becomes unfit within an hour doubles the time after which the group returns."""
    n1, n2 = cluster.nodes
    for factor in (1, 2, 4):
        n1.group.judgement = Judgement(fit=False, served=1, reason="portal 10.0.1.1:3260 fails")
        cluster.run(5)
        n1.group.judgement = FIT
        cluster.run(factor * GOLD.failback_after - 1)
        assert n2.serves
        cluster.run(4)
        assert n1.serves


def test_a_lease_process_that_is_started_anew_moves_nothing(cluster: Cluster) -> None:
    """One failed look at the addresses ends no lease."""
    n1, _ = cluster.nodes
    n1.addresses.broken = True
    cluster.run(1.2)
    n1.addresses.broken = False
    for _ in range(50):
        cluster.run(0.5)
        assert cluster.owner() == "n1"


def test_a_new_daemon_that_cant_read_addresses_keeps_the_former_report(cluster: Cluster) -> None:
    """Before its first pass it does not know how well the node can own the group."""
    n1, _ = cluster.nodes
    before = cluster.tree.reports["n1"]
    n1.group = n1.started("boot")
    n1.addresses.broken = True
    cluster.run(2)
    assert cluster.tree.reports["n1"] == before


def test_a_group_does_not_return_to_a_node_that_let_its_turn_pass(cluster: Cluster) -> None:
    """The preferred node hangs though its session lives: the owner keeps the group until it restarts."""
    n1, n2 = cluster.nodes
    cluster.tree.wish = Wish("n2")
    cluster.run(GOLD.failback_after + 5)
    cluster.tree.wish, n1.alive = Wish(), False
    cluster.run(10)
    for _ in range(60):
        cluster.run(1)
        assert cluster.owner() == "n2"
    n1.die()
    cluster.run(2)
    n1.alive, n1.group = True, n1.started("boot")
    n1.group.judgement = FIT
    cluster.run(GOLD.failback_after + 5)
    assert cluster.owner() == "n1"
    assert n2.phase == GroupPhase.STANDBY


def test_an_owner_whose_daemon_hangs_loses_the_group(cluster: Cluster) -> None:
    """Its session lives, so its lease alone shows it; the group returns only once it acts again."""
    n1, _ = cluster.nodes
    n1.alive = False
    cluster.run(TIMES.total + GOLD.grace - 1.1)
    assert cluster.owner() == ""
    cluster.run(2)
    assert cluster.owner() == "n2"
    for _ in range(60):
        cluster.run(1)
        assert cluster.owner() == "n2"
    n1.alive = True
    cluster.run(GOLD.failback_after + 5)
    assert cluster.owner() == "n1"


def test_an_outage_of_zookeeper_moves_no_group(cluster: Cluster) -> None:
    """The owner gets time to renew its lease before a node that waited meanwhile takes the group."""
    cluster.tree.cut |= {"n1", "n2"}
    cluster.run(20)
    assert cluster.owner() == ""
    cluster.tree.cut.discard("n2")
    cluster.run(1)
    cluster.tree.cut.clear()
    cluster.run(2)
    assert cluster.owner() == "n1"


def test_the_addresses_outlast_a_restart_of_nineteen_seconds(cluster: Cluster) -> None:
    """The last lease before a restart is longer, and the first one after it is as before."""
    n1, _ = cluster.nodes
    n1.group.restarting = True
    assert not n1.group.outlasts_restart
    cluster.run(1)
    assert n1.group.outlasts_restart
    n1.die()
    for _ in range(19):
        cluster.run(1)
        assert cluster.owner() == "n1"
    n1.group, n1.alive = n1.started("boot"), True
    n1.group.judgement = FIT
    for _ in range(10):
        cluster.run(1)
        assert cluster.owner() == "n1"
    assert cluster.tree.lease is not None
    assert cluster.tree.lease.record.lease_ms == TIMES.milliseconds


def test_a_daemon_that_does_not_come_back_loses_the_group(cluster: Cluster) -> None:
    """The next node waits for the longer lease."""
    n1, _ = cluster.nodes
    n1.group.restarting = True
    cluster.run(1)
    n1.die()
    cluster.run(before_restart(TIMES).total + GOLD.grace - 1.1)
    assert cluster.owner() == ""
    cluster.run(2.2)
    assert cluster.owner() == "n2"


def test_an_owner_knows_what_the_others_have_applied(cluster: Cluster) -> None:
    """Their reports have the revision, and a node that waits itself has not applied it."""
    n1, n2 = cluster.nodes
    n2.group.judgement = Judgement(fit=True, served=2, revision=4)
    cluster.run(1)
    assert [n1.group.others(revision) for revision in (4, 5)] == [Others.READY, Others.BEHIND]
    n2.group.judgement = Judgement(fit=False, served=1, reason="db1 fails", revision=5)
    cluster.run(1)
    assert n1.group.others(5) is Others.NONE
    n2.die()
    assert n1.group.others(6) is Others.BEHIND
    cluster.run(1)
    assert n1.group.others(6) is Others.NONE


def test_a_group_moves_while_a_change_waits(cluster: Cluster) -> None:
    """The owner is not fit until it has made the change; the group returns as after any move."""
    n1, n2 = cluster.nodes
    n1.group.judgement = Judgement(fit=False, served=2, reason="a change waits", moving=True)
    cluster.run(1.5)
    assert cluster.owner() == "n2"
    assert n2.group.others(2) is Others.BEHIND
    n1.group.judgement = Judgement(fit=True, served=2, revision=2)
    cluster.run(GOLD.failback_after + 3)
    assert cluster.owner() == "n1"


def test_a_slow_next_node_keeps_its_turn(cluster: Cluster) -> None:
    """The former owner, fit again after its change, takes nothing back from a node that is only slow."""
    n1, n2 = cluster.nodes
    n1.group.judgement = UNFIT
    n2.due = cluster.now + 4
    cluster.run(1)
    assert n1.group.view.owner == ""
    n1.group.judgement = FIT
    cluster.run(5)
    assert (cluster.owner(), n1.group.view.takes) == ("n2", 1)


def test_a_next_node_that_dies_loses_its_turn(cluster: Cluster) -> None:
    """The head start ends with its session, or with a report that it is unfit."""
    n1, n2 = cluster.nodes
    n1.group.judgement = UNFIT
    n2.due = cluster.now + 2
    cluster.run(1)
    n1.group.judgement = FIT
    n2.die()
    cluster.run(HEAD_START + 0.5)
    assert cluster.owner() == "n1"


def test_a_group_that_another_tool_serves_is_left_alone() -> None:
    """Where the target is foreign nothing is disabled or removed; the other node finds the addresses in use.

    It is taken once the target is lunmapd's, and the thread ends when the map loses the group before.
    """
    cluster = Cluster()
    n1, n2 = cluster.nodes
    n1.tpgs.foreign = True
    n1.tpgs.enabled[n1.group.plan.tpg] = 1
    n1.addresses.until = dict.fromkeys(ADDRESSES, float("inf"))
    cluster.run(60)
    assert n1.serves
    assert not n2.serves
    problem = n1.group.view.problem
    assert problem is not None
    assert problem.reason is Reason.FOREIGN_TARGET
    assert (n1.group.view.report.fit, n2.phase) == (False, GroupPhase.IN_USE)
    n1.group.listed = False
    assert n1.group.is_over
    n1.group.listed, n1.tpgs.foreign = True, False
    cluster.run(60)
    assert [node.serves for node in cluster.nodes].count(True) == 1
