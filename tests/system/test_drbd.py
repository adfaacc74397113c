"""A DRBD resource with a single primary: the primary moves with the path, or with a floating address.

The hook is the one of the documentation. It is run by another that records when the resource was promoted.
"""

import time
from functools import partial
from pathlib import Path

import pytest

from lab.wait import wait_until
from lunmapd.core.base.names import naa
from support.alua_paths import shows_one
from support.cluster import HOST, PID, SAN, Cluster, StorageNode
from support.intervals import find_overlaps
from support.one_path import usable_device

pytestmark = pytest.mark.kernel

HOOK = Path(__file__).parents[2] / "config/hooks/drbd"
HOOKS, RECORD = "/etc/lunmapd/hooks.d", "/var/log/hook"
SERIAL = "3f1d6c1e00054f0b9f3e7a51c2d40000"
WWID = f"3{naa(SERIAL)}"
DISKS = {"n1": "/dev/disk/lab/db1", "n2": "/dev/disk/lab/db2"}
MAP = f"""
luns:
  r0:
    serial: {SERIAL}
    backing: {{type: block, path: /dev/mapper/drbd-r0}}
    preferred: [n1, n2]
    others: standby
    hook: drbd
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
targets:
  {SAN}: {{nodes: [n1, n2]}}
initiators:
  {HOST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: [ADDRESS1]}}
  n2: {{tpg_tag: 2, portals: [ADDRESS2]}}
"""
FLOATING_MAP = MAP.replace("    preferred: [n1, n2]\n    others: standby\n", "").replace(
    "{nodes: [n1, n2]}",
    """
    nodes: {}
    floating:
      gold: {tpg_tag: 1001, portals: [FLOATING], nodes: [n1, n2], failback: manual}""",
)
RESOURCE = """
global { usage-count no; }
resource r0 {
  device /dev/drbd0;
  meta-disk internal;
  net { protocol C; ping-int 2; timeout 30; }
ON}
"""
ON = "  on {name} {{ disk {disk}; address {address}:7789; }}\n"
RECORDING = f"""#!/bin/sh
began=$(date +%s.%N)
{HOOKS}/../drbd "$@"
status=$?
echo "$began $(date +%s.%N) $1 $status" >>{RECORD}
exit $status
"""
MIB = 1 << 20


def prepare(node: StorageNode, cluster: Cluster) -> None:
    """Let DRBD run on a node that has just booted, with the hook in its directory."""
    nodes = ((each.name, each.machine.address) for each in cluster.nodes)
    on = "".join(ON.format(name=name, disk=DISKS[name], address=address) for name, address in nodes)
    node.machine.run(f"mkdir -p {HOOKS} /run/lock /var/lib/drbd; modprobe dm_mod; modprobe drbd")
    node.machine.put("/etc/drbd.conf", RESOURCE.replace("ON", on))
    node.machine.put(f"{HOOKS}/../drbd", HOOK.read_text(), 0o755)
    node.machine.put(f"{HOOKS}/drbd", RECORDING, 0o755)


def says(node: StorageNode, verb: str, *wanted: str) -> bool:
    """Return whether drbdadm reports one of these words of this node first."""
    told = node.machine.run(["drbdadm", verb, "r0"], check=False).stdout
    return told.strip().split("/")[0] in wanted


@pytest.fixture(scope="module")
def cluster(two_nodes: Cluster) -> Cluster:
    """Give two nodes with an empty DRBD resource, in sync, and an initiator with both sessions."""
    for node in two_nodes.nodes:
        prepare(node, two_nodes)
        node.machine.run("yes yes | drbdadm create-md r0 && drbdadm up r0")
    first = two_nodes.nodes[0]
    wait_until("DRBD is connected", lambda: says(first, "cstate", "Connected"))
    first.machine.run("drbdadm -- --clear-bitmap new-current-uuid r0")
    two_nodes.restore(two_nodes.filled(MAP))
    two_nodes.login()
    wait_until("n1 owns it", partial(shows_one, two_nodes, "n1", WWID))
    return two_nodes


class Record:
    """When each node had the resource promoted, as the hooks recorded it."""

    def __init__(self) -> None:
        self.intervals: dict[str, list[tuple[float, float]]] = {}

    def take(self, node: StorageNode) -> None:
        """Take what a node has recorded since it booted; a promotion that goes on ends now."""
        began = None
        for line in node.machine.get(RECORD).decode().splitlines():
            start, end, action, status = line.split()
            if (action, status) == ("promote", "0") and began is None:
                began = float(end)
            elif action == "demote" and began is not None:
                self.intervals.setdefault(node.name, []).append((began, float(start)))
                began = None
        if began is not None:
            self.intervals.setdefault(node.name, []).append((began, time.time()))


def test_the_primary_moves_with_the_path(cluster: Cluster) -> None:
    """A planned move, a stopped daemon and a power cut: no I/O error, no mismatch, never two primaries."""
    record, (n1, n2) = Record(), cluster.nodes
    io = cluster.initiator.verified_io(cluster.initiator.wait_multipaths(bool, 20)[0].device, offset=MIB)
    io.goes_on()
    cluster.ctl("float", "move", SAN, "n1,n2", "n2")
    wait_until("n2 owns it", partial(shows_one, cluster, "n2", WWID))
    io.goes_on()
    assert says(n1, "role", "Secondary")
    n2.machine.run(f"kill -STOP $(cat {PID})")
    wait_until("n1 takes it over", partial(shows_one, cluster, "n1", WWID))
    n2.machine.run(f"kill -CONT $(cat {PID})")
    io.goes_on()
    wait_until("both nodes are well", cluster.all_well)
    assert shows_one(cluster, "n1", WWID)
    record.take(n1)
    n1.machine.kill()
    wait_until("n2 takes it over", partial(shows_one, cluster, "n2", WWID))
    io.goes_on()
    n1.machine.start()
    prepare(n1, cluster)
    n1.machine.run("drbdadm up r0")
    n1.configure(cluster.ensemble.hosts)
    n1.start()
    wait_until("both nodes are well", cluster.all_well)
    assert shows_one(cluster, "n2", WWID)
    wait_until("n1 is in sync", lambda: says(n1, "dstate", "UpToDate"))
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    for node in cluster.nodes:
        record.take(node)
    assert find_overlaps(record.intervals) == []
    assert {name: len(each) for name, each in record.intervals.items()} == {"n1": 2, "n2": 2}


def test_the_primary_moves_with_a_floating_address(cluster: Cluster) -> None:
    """A host with one path: a planned move, and a drain, which demotes on the node that is drained."""
    record, (n1, n2), initiator = Record(), cluster.nodes, cluster.initiator
    cluster.log_out()
    text = cluster.filled(FLOATING_MAP)
    cluster.ctl.apply(text)
    wait_until("a node serves it", cluster.all_well)
    initiator.discover(cluster.floating_address)
    initiator.login(SAN)
    owner, other = (n1, n2) if says(n1, "role", "Primary") else (n2, n1)
    io = initiator.verified_io(usable_device(initiator), offset=MIB)
    io.goes_on()
    cluster.ctl("float", "move", SAN, "gold", other.name)
    io.goes_on()
    assert (says(owner, "role", "Secondary"), says(other, "role", "Primary")) == (True, True)
    cluster.ctl("drain", other.name, "--wait", "60")
    io.goes_on()
    assert (says(owner, "role", "Primary"), says(other, "role", "Secondary")) == (True, True)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    for node in cluster.nodes:
        record.take(node)
    assert find_overlaps(record.intervals) == []
