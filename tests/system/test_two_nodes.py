"""Two nodes in use by an initiator: they die one after the other, and calls into their kernels hang."""

from collections.abc import Iterator
from functools import partial

import pytest

from lab.machines.io import VerifiedIO
from lab.wait import wait_until
from support.alua_paths import shows, shows_one
from support.cluster import DB1, HOST, PID, Cluster, StorageNode

pytestmark = pytest.mark.kernel

MIB = 1 << 20
SAN, ONE, TWO, GUEST = (f"iqn.2026-01.org.example:{name}" for name in ("san", "one", "two", "guest"))
MAP = f"""
luns:
  db1:
    serial: 3f1d6c1e00014f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db1}}
    preferred: n1
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
targets:
  {SAN}: {{nodes: [n1, n2]}}
initiators:
  {HOST}: {{}}
  {GUEST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: [ADDRESS1]}}
  n2: {{tpg_tag: 2, portals: [ADDRESS2]}}
"""
SLOW = """\
  slow{number}:
    serial: 3f1d6c1e0002{number}f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/mapper/slow{number}}}
    maps: [{{target: "{target}", lun: 0, initiator: "{initiator}"}}]
"""
LOGS = f"""\
  logs:
    serial: 3f1d6c1e00034f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/logs}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]
"""
MAKE_SLOW = 'modprobe dm_mod; DM_DISABLE_UDEV=1 dmsetup create slow$(hostname | tr -d n) --table "0 $(blockdev --getsz /dev/vg0/db2) linear /dev/vg0/db2 0"'
AT_REST = {"n1": "optimized, preferred", "n2": "non-optimized"}


@pytest.fixture(scope="module")
def logged_in(two_nodes: Cluster) -> Cluster:
    """Give two nodes that serve one volume, preferred on the first, and an initiator with both sessions."""
    two_nodes.restore(two_nodes.filled(MAP))
    two_nodes.login()
    return two_nodes


@pytest.fixture
def cluster(logged_in: Cluster) -> Cluster:
    """Give both nodes at the map, and both paths in the states of the map."""
    for node in logged_in.nodes:
        if node.machine.running():
            node.machine.run("for each in /dev/mapper/slow?; do dmsetup resume $each; done", check=False)
    logged_in.restore(logged_in.filled(MAP))
    wait_until("both paths are as the map says", partial(shows, logged_in, AT_REST, DB1))
    return logged_in


@pytest.fixture
def io(cluster: Cluster) -> Iterator[VerifiedIO]:
    """Give I/O on the volume, of which nothing may fail."""
    found = cluster.initiator.verified_io(cluster.paths(DB1).device, offset=MIB)
    yield found
    final = found.stop()
    assert (final.errors, final.mismatches) == (0, 0)


def test_the_volume_outlives_either_node(cluster: Cluster, io: VerifiedIO) -> None:
    """Nodes die one after the other under I/O.

    The other path keeps its state, and both return as the map says.
    """
    for victim, other in (cluster.nodes, cluster.nodes[::-1]):
        victim.machine.kill()
        wanted = {other.name: AT_REST[other.name]}
        wait_until("one path is left", partial(shows, cluster, wanted, DB1))
        io.goes_on()
        victim.machine.start()
        victim.configure(cluster.ensemble.hosts)
        victim.start()
        wait_until("both paths are back", partial(shows, cluster, AT_REST, DB1))
        io.goes_on()
    cluster.paths(DB1)
    wait_until("both nodes are well", cluster.all_well)


def test_a_path_on_standby_is_left_to_the_other(cluster: Cluster, io: VerifiedIO) -> None:
    """A path that the map closes fails over without an error, and is used again when it opens."""
    cluster.ctl.apply(cluster.filled(MAP.replace("preferred: n1", "preferred: n1\n    others: standby")))
    wait_until("the path is left", partial(shows, cluster, {"n1": AT_REST["n1"]}, DB1))
    io.goes_on()
    cluster.ctl.apply(cluster.filled(MAP.replace("preferred: n1", "preferred: n2\n    others: unavailable")))
    wait_until("the other one is", partial(shows, cluster, {"n2": AT_REST["n1"]}, DB1))
    io.goes_on()
    cluster.ctl.apply(cluster.filled(MAP))
    wait_until("both paths are back", partial(shows, cluster, AT_REST, DB1))


def test_another_node_takes_a_volume_over(cluster: Cluster, io: VerifiedIO) -> None:
    """One node at a time is optimized: it is moved, then its daemon is stopped."""
    listed = cluster.filled(MAP.replace("preferred: n1", "preferred: [n1, n2]"))
    cluster.ctl.apply(listed)
    wait_until("n1 owns it", partial(shows, cluster, {"n1": "optimized", "n2": "non-optimized"}, DB1))
    cluster.ctl.apply(listed.replace("preferred: [n1, n2]", "preferred: [n1, n2]\n    others: standby"))
    wait_until("n2 is closed", partial(shows, cluster, {"n1": "optimized"}, DB1))
    io.goes_on()
    cluster.ctl("float", "move", SAN, "n1,n2", "n2")
    wait_until("n2 owns it", partial(shows_one, cluster, "n2", DB1))
    io.goes_on()
    _, victim = cluster.nodes
    victim.machine.run(f"kill -STOP $(cat {PID})")
    wait_until("n1 takes it over", partial(shows_one, cluster, "n1", DB1))
    victim.machine.run(f"kill -CONT $(cat {PID})")
    io.goes_on()
    wait_until("both nodes are well", cluster.all_well)
    assert shows_one(cluster, "n1", DB1)


def test_a_drained_node_is_left_before_its_sessions_end(cluster: Cluster, io: VerifiedIO) -> None:
    """The preferred node is drained and back: I/O never waits for a session, and is spread as before."""
    recovery = 5.0
    slowed = f"for each in /sys/class/iscsi_session/*/recovery_tmo; do echo {recovery:g} >$each; done"
    cluster.initiator.machine.run(slowed)
    io.goes_on()
    for node in cluster.nodes:
        node.machine.run(f"kill -HUP $(cat {PID})")
    wait_until("the nodes report the logins", lambda: sessions(cluster) == [1, 1])
    steps = cluster.ctl("drain", "n1", "--wait", "120").err
    assert "n1 leads hosts to other paths" in steps
    assert steps.endswith("\nn1 offers nothing now, and has no session\n")
    assert not cluster.nodes[0].has_sessions()
    assert cluster.all_well()
    wait_until("the node is left", partial(shows, cluster, {"n2": "optimized"}, DB1))
    io.goes_on()
    cluster.ctl("undrain", "n1", "--wait", "120")
    wait_until("both paths are back", partial(shows, cluster, AT_REST, DB1))
    io.goes_on()
    assert io.progress.pause < recovery


def sessions(cluster: Cluster) -> list[int]:
    """Return the number of sessions that each node reports."""
    return [node["sessions"] for node in cluster.ctl.status()["nodes"].values()]


def with_luns(cluster: Cluster, luns: str, *targets: str) -> str:
    """Return the map with more Luns, and these targets, each at one node."""
    more = "".join(
        f"  {iqn}: {{nodes: [{node}]}}\n" for iqn, node in zip(targets, ("n1", "n2"), strict=False)
    )
    return cluster.filled(MAP.replace("targets:\n", f"{luns}targets:\n{more}"))


def hang_io(cluster: Cluster, node: StorageNode, target: str) -> None:
    """Log in to a target, suspend its device, and read from it with a SCSI timeout of 600 s."""
    machine, disk = cluster.initiator.machine, disk_of(node, target, 0)
    cluster.initiator.discover(node.machine.address)
    cluster.initiator.login(target)
    wait_until("the disk is there", lambda: machine.run(f"[ -b {disk} ]", check=False).status == 0)
    name = machine.run(f"basename $(readlink -f {disk})").stdout.strip()
    flying = f"read reads writes </sys/block/{name}/inflight; [ $reads$writes -gt 0 ]"
    machine.run(f"udevadm settle; echo 600 >/sys/block/{name}/device/timeout")
    node.machine.run("dmsetup suspend --noflush /dev/mapper/slow?")
    machine.run(
        f"setsid dd if={disk} of=/dev/null bs=4k count=1 iflag=direct skip=9 </dev/null >/dev/null 2>&1 &"
    )
    wait_until("I/O is in flight", lambda: machine.run(flying, check=False).status == 0)


def disk_of(node: StorageNode, target: str, lun: int) -> str:
    """Return the initiator's disk that is a LUN of a target as a node shows it."""
    return f"/dev/disk/by-path/ip-{node.machine.address}:3260-iscsi-{target}-lun-{lun}"


def stuck(cluster: Cluster, node: str, what: str, where: str) -> bool:
    """Return whether a node reports a stuck operation with its place in the kernel.

    It must be alive meanwhile.
    """
    found = cluster.ctl.status()["nodes"][node]
    assert found["alive"]
    return any(what in line and "Stuck" in line and where in line for line in found["problems"])


def test_calls_that_hang_cost_their_own_objects(cluster: Cluster, io: VerifiedIO) -> None:
    """Daemons that hang in removing an ACL or closing a TPG report it, do all else, and go on later."""
    one, two = cluster.nodes
    slow = SLOW.format(number=1, target=ONE, initiator=HOST) + SLOW.format(
        number=2, target=TWO, initiator=HOST
    )
    for node in cluster.nodes:
        node.machine.run(MAKE_SLOW)
    cluster.ctl.apply(with_luns(cluster, slow, ONE, TWO))
    hang_io(cluster, one, ONE)
    hang_io(cluster, two, TWO)
    daemons = [node.machine.run(f"cat {PID}").stdout for node in cluster.nodes]
    rest = SLOW.format(number=1, target=ONE, initiator=GUEST)
    cluster.ctl.apply(with_luns(cluster, rest, ONE), wait=None)
    wait_until("n1 is stuck", lambda: stuck(cluster, "n1", f"acl {ONE}", "core_tpg_del_initiator_node_acl"))
    wait_until("n2 is stuck", lambda: stuck(cluster, "n2", f"enabled {TWO}", "target_tpg_disable"))
    cluster.ctl.apply(with_luns(cluster, rest + LOGS, ONE), wait=None)
    read = " && ".join(
        f"dd if={disk_of(node, SAN, 1)} of=/dev/null bs=4k count=1 iflag=direct" for node in cluster.nodes
    )
    rescan = f"iscsiadm -m node -T {SAN} --rescan"
    wait_until(
        "another LUN is served",
        lambda: cluster.initiator.machine.run(f"{rescan}; {read}", check=False).status == 0,
    )
    assert cluster.ctl("status", expect=None).status == 6
    io.goes_on()
    for node in cluster.nodes:
        node.machine.run("dmsetup resume /dev/mapper/slow?")
    wait_until("all is as the map says", cluster.all_well)
    assert daemons == [node.machine.run(f"cat {PID}; kill -0 $(cat {PID})").stdout for node in cluster.nodes]
    workers = "pgrep -fc '[l]unmapd.lio.worker.worker'"
    wait_until(
        "the workers that hung have ended",
        lambda: [node.machine.run(workers).stdout.strip() for node in cluster.nodes] == ["1", "1"],
    )
    assert f"/{GUEST}" in one.lio()
    assert TWO not in two.lio()
