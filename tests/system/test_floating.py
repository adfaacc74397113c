"""A floating portal group: a host with one path follows its address from node to node under I/O."""

from collections.abc import Iterator

import pytest

from lab.machines.io import VerifiedIO
from lab.wait import wait_until
from support.cluster import DB1, HOST, Cluster, StorageNode

pytestmark = pytest.mark.kernel

MIB = 1 << 20
SAN = "iqn.2026-01.org.example:san"
MAP = f"""
luns:
  db1:
    serial: 3f1d6c1e00014f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db1}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
targets:
  {SAN}:
    nodes: {{}}
    floating:
      gold:
        tpg_tag: 1001
        portals: ["FLOATING:3260"]
        nodes: [n1, n2]
        failback: manual
initiators:
  {HOST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: ["ADDRESS1:3260"]}}
  n2: {{tpg_tag: 2, portals: ["ADDRESS2:3260"]}}
"""


def owners(cluster: Cluster) -> list[str]:
    """Return the names of the nodes whose kernel has the address."""
    return [node.name for node in cluster.owners()]


@pytest.fixture(scope="module")
def logged_in(two_nodes: Cluster) -> Cluster:
    """Give a host that is logged in to the floating address alone."""
    two_nodes.ctl.apply(two_nodes.filled(MAP))
    wait_until("n1 has the address", lambda: owners(two_nodes) == ["n1"])
    two_nodes.initiator.discover(two_nodes.floating_address)
    two_nodes.initiator.login(SAN)
    return two_nodes


@pytest.fixture
def io(logged_in: Cluster) -> Iterator[VerifiedIO]:
    """Give I/O on the volume, of which nothing may fail."""
    initiator = logged_in.initiator
    maps = initiator.wait_multipaths(
        lambda found: any(each.wwid == DB1 and each.usable_paths for each in found)
    )
    device = next(each.device for each in maps if each.wwid == DB1)
    found = initiator.verified_io(device, offset=MIB)
    yield found
    final = found.stop()
    assert (final.errors, final.mismatches) == (0, 0)


def goes_on(io: VerifiedIO) -> None:
    """Wait until the I/O has made some progress."""
    then = io.progress.operations
    wait_until("the I/O goes on", lambda: io.progress.operations > then + 50)


def test_a_host_with_one_path_follows_its_address(logged_in: Cluster, io: VerifiedIO) -> None:
    """I/O goes on without an error when an admin moves the group, and when its node loses power."""
    n1, n2 = logged_in.nodes
    goes_on(io)
    for node in (n2, n1):
        logged_in.ctl("float", "move", SAN, "gold", node.name)
        assert owners(logged_in) == [node.name]
        goes_on(io)
    n1.machine.kill()
    wait_until("n2 has the address", lambda: owners(logged_in) == ["n2"])
    goes_on(io)
    n1.machine.start()
    n1.configure(logged_in.ensemble.hosts)
    n1.start()
    wait_until("both nodes are well", logged_in.all_well)
    assert owners(logged_in) == ["n2"]
    logged_in.ctl.apply(logged_in.filled(MAP).replace("tpg_tag: 2,", "tpg_tag: 2, state: drained,"))
    wait_until("n1 has the address", lambda: owners(logged_in) == ["n1"])
    goes_on(io)


def test_a_lun_is_replaced_where_no_host_uses_it(logged_in: Cluster, io: VerifiedIO) -> None:
    """Each node opens the device by another path: the owner does so after it has released the group."""
    former, text = owners(logged_in), logged_in.filled(MAP)
    logged_in.ctl.apply(text)
    wait_until("both nodes are well", logged_in.all_well)
    assert owners(logged_in) == former
    goes_on(io)
    logged_in.ctl.apply(text.replace("/dev/vg0/db1", "/dev/disk/lab/db1"), rebacking=["db1"])
    wait_until("both nodes are well", logged_in.all_well)
    (owner,) = (node for node in logged_in.nodes if node.name in former)
    log = owner.log()
    moved = log.rindex("the node has released floating group gold")
    assert "the group moves now" in log[:moved]
    # A slow node may leave the group to the former owner, which has made the change by then.
    assert "replaced: path /dev/vg0/db1 -> /dev/disk/lab/db1" in log[moved:]
    assert all("/dev/disk/lab/db1" in opened_paths(node) for node in logged_in.nodes)
    goes_on(io)


def opened_paths(node: StorageNode) -> str:
    """Return the paths by which a node has opened its devices."""
    return node.machine.run("cat /sys/kernel/config/target/core/*/*/udev_path").stdout
