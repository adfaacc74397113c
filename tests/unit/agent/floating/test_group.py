"""The lease of a floating group of two nodes on fakes: who has the addresses, after which fault."""

import logging

import pytest

from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.lease import LeaseRecord, before_restart
from lunmapd.store.tree.floating import UNWRITTEN, LeaseZnode
from support.floating_nodes import FIT, GOLD, TIMES, Cluster, messages
from support.small_map import T


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
