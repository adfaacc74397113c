"""Storage nodes that ZooKeeper can't be reached from: a reboot, and isolation, under an initiator's verified I/O."""

from collections.abc import Iterator
from functools import partial

import pytest
from cluster import DB1, Cluster, StorageNode, bring_up, eventually

from lab.io import VerifiedIO
from lab.pytest_plugin import NewLab

pytestmark = pytest.mark.lab

MIB = 1 << 20


@pytest.fixture(scope="module")
def cluster(new_lab: NewLab) -> Iterator[Cluster]:
    """Give two nodes with disks that survive, the example map, and an initiator that is logged in to both."""
    with new_lab() as lab:
        found = bring_up(lab, nodes=2, persistent=True)
        found.ctl.apply(found.for_two())
        found.login()
        yield found


def goes_on(io: VerifiedIO) -> None:
    """Wait until the I/O has made some progress."""
    then = io.progress.operations
    eventually("the I/O goes on", lambda: io.progress.operations > then + 50, 60)


def enabled(node: StorageNode) -> set[str]:
    """Return whether the node's own TPGs are enabled; those that stand for other nodes never are."""
    tag = node.name.removeprefix("n")
    found = node.machine.run(f"cat /sys/kernel/config/target/iscsi/iqn*/tpgt_{tag}/enable").stdout
    return set(found.split())


def has_logged(node: StorageNode, what: str) -> bool:
    """Tell whether the daemon of a node has logged something."""
    return what in node.log()


def all_well(cluster: Cluster) -> bool:
    """Tell whether `lunmapctl status` finds nothing wrong."""
    return cluster.ctl("status", expect=None).status == 0


def reboot(node: StorageNode, hosts: str) -> None:
    """Pull the plug, boot again, and start the daemon."""
    node.machine.restart()
    node.configure(hosts)
    node.start()


def test_a_reboot_without_zookeeper_serves_from_the_snapshot(cluster: Cluster) -> None:
    """With ZooKeeper down, a node whose plug is pulled serves the last map again, alone even; no I/O is lost."""
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    first, second = cluster.nodes
    cluster.ensemble.kill()
    reboot(first, cluster.ensemble.hosts)
    eventually("it says so", partial(has_logged, first, "MapFresh=False, FromSnapshot"), 60)
    cluster.paths(DB1)
    second.machine.kill()
    cluster.paths(DB1, 1)
    goes_on(io)
    second.machine.start()
    second.configure(cluster.ensemble.hosts)
    second.start()
    cluster.paths(DB1)
    cluster.ensemble.start()
    eventually("both follow the tree again", partial(all_well, cluster), 60)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)


def test_an_isolated_node_leaves_the_io_to_the_other(cluster: Cluster) -> None:
    """A node that loses ZooKeeper alone closes its paths after the set time; the I/O goes on without an error."""
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    lonely, other = cluster.nodes
    for node in cluster.nodes:
        node.stop()
        node.configure(cluster.ensemble.hosts, "isolation: {after: 6}\n")
        node.start()
    eventually("both are back", partial(all_well, cluster))
    lonely.machine.run("rm /var/log/lunmapd.log")
    (server,) = cluster.ensemble.servers
    server.ignore(lonely.machine.spec.place)
    cluster.paths(DB1, 1)
    assert enabled(lonely) == {"0"}
    assert enabled(other) == {"1"}
    goes_on(io)
    server.heed(lonely.machine.spec.place)
    cluster.paths(DB1)
    eventually("both are well", partial(all_well, cluster), 60)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)
