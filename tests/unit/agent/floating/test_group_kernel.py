"""A floating group of two nodes on fakes where a kernel refuses, is late, or hangs."""

import pytest
from msgspec.structs import replace

from fakes.floating import FakeAddresses
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.inability import UNABLE_AFTER, UNABLE_FOR
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.documents import Wish
from lunmapd.core.node.failure import Failure
from support.floating_nodes import ADDRESSES, GOLD, ID, TIMES, Cluster, Node, messages


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
