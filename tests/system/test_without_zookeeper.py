"""Storage nodes without ZooKeeper: a reboot, and isolation, under an initiator's verified I/O."""

from collections.abc import Iterator
from functools import partial

import pytest

from lab.pytest_plugin import NewLab
from lab.wait import wait_until
from support.cluster import DB1, LOG, Cluster, StorageNode, bring_up

pytestmark = pytest.mark.kernel

MIB = 1 << 20
ISOLATION = "isolation: {after: 10}\n"


@pytest.fixture(scope="module")
def logged_in(new_lab: NewLab) -> Iterator[Cluster]:
    """Give two nodes with disks that survive, the example map, and an initiator that is logged in to both."""
    with new_lab() as lab:
        found = bring_up(lab, nodes=2, persistent=True)
        found.restore(found.for_two())
        found.login()
        yield found


@pytest.fixture
def cluster(logged_in: Cluster) -> Cluster:
    """Give both nodes at the map, within reach of the server, with the volume usable through both."""
    (server,) = logged_in.ensemble.servers
    for node in logged_in.nodes:
        server.heed(node.machine.spec.place)
    logged_in.restore(logged_in.for_two())
    logged_in.paths(DB1)
    return logged_in


def enabled(node: StorageNode) -> set[str]:
    """Return whether the node's own TPGs are enabled; TPGs of other nodes never are."""
    tag = node.name.removeprefix("n")
    found = node.machine.run(f"cat /sys/kernel/config/target/iscsi/iqn*/tpgt_{tag}/enable").stdout
    return set(found.split())


def has_logged(node: StorageNode, what: str) -> bool:
    """Return whether the daemon of a node has logged a text."""
    return what in node.log()


def boot(node: StorageNode, hosts: str) -> None:
    """Boot the machine, and start the daemon with a log of its own."""
    node.machine.start()
    node.machine.run(f"rm -f {LOG}")
    node.configure(hosts)
    node.start()


def test_a_reboot_without_zookeeper_serves_from_the_snapshot(cluster: Cluster) -> None:
    """With ZooKeeper down, a node that lost power serves the last map again, even alone; no I/O is lost."""
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    first, second = cluster.nodes
    cluster.ensemble.kill()
    first.machine.kill()
    cluster.paths(DB1, second)
    boot(first, cluster.ensemble.hosts)
    wait_until("it says so", partial(has_logged, first, "MapFresh=False, FromSnapshot"))
    cluster.paths(DB1)
    second.machine.kill()
    cluster.paths(DB1, first)
    io.goes_on()
    boot(second, cluster.ensemble.hosts)
    cluster.paths(DB1)
    cluster.ensemble.start()
    wait_until("both follow the tree again", cluster.all_well)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)


def test_an_isolated_node_leaves_the_io_to_the_other(cluster: Cluster) -> None:
    """A node that alone loses ZooKeeper disables its TPGs after the set time.

    The I/O goes on without an error.
    """
    io = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    lonely, other = cluster.nodes
    for node in cluster.nodes:
        node.stop()
        node.configure(cluster.ensemble.hosts, ISOLATION)
        node.start()
    wait_until("both are back", cluster.all_well)
    (server,) = cluster.ensemble.servers
    server.ignore(lonely.machine.spec.place)
    cluster.paths(DB1, other)
    # One of its two targets may be closed a moment before the other one.
    wait_until("the lonely node has closed all", lambda: enabled(lonely) == {"0"})
    assert enabled(other) == {"1"}
    io.goes_on()
    server.heed(lonely.machine.spec.place)
    cluster.paths(DB1)
    wait_until("both are well", cluster.all_well)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0)
