"""When a floating group of two nodes on fakes moves: wishes, failback, turns, changes that wait."""

import logging

import pytest

from lunmapd.agent.floating.own_report import Judgement
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.documents import Wish
from lunmapd.core.floating.lease import HEAD_START, LeaseRecord
from lunmapd.core.planning.moving import Others
from support.floating_nodes import FIT, GOLD, UNFIT, Cluster, messages
from support.small_map import T


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
