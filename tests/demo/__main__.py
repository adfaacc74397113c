"""`make demo`: three storage nodes, an initiator and three ZooKeeper servers, shown step by step."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.narrator import Narrator
from lab import Lab, LabError
from lab.check import unfit
from lab.wait import wait_until
from support.cluster import HOST, SAN, SESSION_TIMEOUT, Cluster, CtlError, StorageNode, bring_up
from support.one_path import suit_one_path, usable_device

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machines.initiator import Map
    from lab.machines.io import VerifiedIO

LOGS = Path("build/demo-logs")
MIB = 1 << 20
PATTERN = 7
LIVE_LUN = f"""
  db2:
    serial: 3f1d6c1e00044f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/vg0/db2}}
    shared: {{reservations: off, compare_and_write: off}}
    maps:
      - {{target: "{SAN}", lun: 2, initiator: "{HOST}"}}

targets:"""
POOL = "iqn.2026-01.org.example:pool"
FLOATING_MAP = f"""    maps:
      - {{target: "{POOL}", lun: 0, initiator: "{HOST}"}}

targets:
  {POOL}:
    nodes: {{}}
    floating:
      gold: {{tpg_tag: 1001, portals: [ADDRESS], nodes: [n1, n2], failback: manual}}"""
WWID_DB1 = "360014053f1d6c1e00014f0b9f3e7a51c"
WWID_DB2 = "360014053f1d6c1e00044f0b9f3e7a51c"


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    keep = parser.parse_args().keep
    if reasons := unfit():
        print("the demo can't run here: " + "; ".join(reasons), file=sys.stderr)
        return 1
    tell = Narrator()
    try:
        with Lab(keep=keep, artifacts=LOGS) as lab:
            cluster = _show(lab, tell)
            if keep:
                _leave_running(cluster, tell)
            else:
                tell.step("Cleaning up")
    except (LabError, CtlError, AssertionError) as error:
        print(f"\nthe demo failed: {error}\nlogs of what ran: {LOGS}", file=sys.stderr)
        return 1
    tell.end()
    return 0


def _show(lab: Lab, tell: Narrator) -> Cluster:
    cluster = _start(lab, tell)
    text = _commit(cluster, tell)
    device = _log_in(cluster, tell)
    _write_and_read(cluster, tell, device)
    text = _add_live(cluster, tell, text)
    text = _remove_live(cluster, tell, text)
    io = cluster.initiator.verified_io(device.device, offset=8 * MIB)
    _kill(cluster, tell, io)
    text = _return(cluster, tell, io, text)
    _float(cluster, tell, text)
    _move(cluster, tell)
    _cut_power(cluster, tell)
    return cluster


def _leave_running(cluster: Cluster, tell: Narrator) -> None:
    tell.step("Starting n2 again, and leaving everything running")
    _start_again(cluster, cluster.nodes[1])
    command = Path(sys.executable).with_name("lunmapctl")
    tell.say(f"{command} --hosts {cluster.ensemble.hosts} status")
    tell.say("on each node: lunmapctl status")


def _start(lab: Lab, tell: Narrator) -> Cluster:
    tell.step(
        "Starting 3 ZooKeeper servers, 3 storage nodes and an initiator, each node with a kernel of its own"
    )
    cluster = bring_up(lab, servers=3)
    kernel = cluster.nodes[0].machine.run("uname -sr").stdout.strip()
    tell.say(f"kernel of each machine: {kernel}; ZooKeeper at {cluster.ensemble.hosts}")
    return cluster


def _commit(cluster: Cluster, tell: Narrator) -> str:
    tell.step("Committing the example map: all nodes follow it")
    text = cluster.example()
    tell.apply(cluster, text, "config/lunmap.yaml", "first map")
    tell.ctl(cluster, "status")
    tell.ctl(cluster, "get", "luns")
    return text


def _log_in(cluster: Cluster, tell: Narrator) -> Map:
    tell.step("The initiator logs in to every node: one volume, three paths")
    cluster.login(scratch=True)
    device = cluster.paths(WWID_DB1)
    tell.command(cluster.initiator.machine, "multipath -ll")
    return device


def _write_and_read(cluster: Cluster, tell: Narrator, device: Map) -> None:
    first, second = device.paths[0], device.paths[1]
    tell.step("Data written through one node is read through another")
    written = cluster.initiator.write_pattern(f"/dev/{first.device}", PATTERN, 0, MIB)
    read = cluster.initiator.verify_pattern(f"/dev/{second.device}", PATTERN, 0, MIB)
    assert (written.errors, read.errors, read.mismatches) == (0, 0, 0), f"{written} {read}"
    tell.say(
        f"1 MiB written through {first.address} ({first.device}), read through {second.address} ({second.device}): equal"
    )


def _add_live(cluster: Cluster, tell: Narrator, text: str) -> str:
    tell.step("Adding a LUN live")
    text = text.replace("\ntargets:", LIVE_LUN, 1)
    tell.apply(cluster, text, "with-db2.yaml", "add db2")
    cluster.initiator.rescan()
    found = cluster.paths(WWID_DB2)
    tell.say(f"the initiator has {found.name} ({found.wwid}) with {len(found.usable_paths)} paths")
    return text


def _remove_live(cluster: Cluster, tell: Narrator, text: str) -> str:
    tell.step("Removing a mapping live: access ends at once, other LUNs don't notice")
    found = cluster.paths(WWID_DB2)
    mapping = f'      - {{target: "{SAN}", lun: 2, initiator: "{HOST}"}}\n'
    text = text.replace("    maps:\n" + mapping, "", 1)
    tell.apply(cluster, text, "without-the-map.yaml", "unmap db2")
    tell.say("reading db2 through each of its paths:")
    for path in found.paths:
        done = cluster.initiator.machine.run(
            f"dd if=/dev/{path.device} of=/dev/null bs=4k count=1 iflag=direct", check=False
        )
        assert done.status != 0, f"{path.device} can still be read"
        tell.say(f"  {path.device} at {path.address}: {done.stderr.splitlines()[0]}")
    return text


def _kill(cluster: Cluster, tell: Narrator, io: VerifiedIO) -> None:
    tell.step("Killing node n1 under I/O: the I/O goes on, status shows the node dead")
    wait_until("I/O is under way", lambda: io.progress.operations > 100)
    cluster.nodes[0].machine.kill()
    killed = time.monotonic()
    wait_until("status shows n1 dead", lambda: not cluster.ctl.status()["nodes"]["n1"]["alive"])
    tell.say(
        f"n1 was seen to be dead after {time.monotonic() - killed:.1f} s (session timeout {SESSION_TIMEOUT:g} s)"
    )
    tell.ctl(cluster, "status", "--luns", expect=6)
    io.goes_on(100)
    tell.say(f"I/O: {_sum_up(io)}")


def _return(cluster: Cluster, tell: Narrator, io: VerifiedIO, text: str) -> str:
    tell.step("A commit while n1 is away; then it returns and catches up")
    changed = text.replace("alias: database host", "alias: db host 1").replace("access: ro", "access: rw")
    tell.apply(cluster, changed, "logs-rw.yaml", "logs rw")
    _start_again(cluster, cluster.nodes[0])
    tell.ctl(cluster, "status")
    cluster.paths(WWID_DB1)
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0), str(done)
    tell.say(f"all three paths are back; I/O through it all: {_sum_up(io)}")
    return changed


def _start_again(cluster: Cluster, node: StorageNode) -> None:
    node.machine.start()
    node.configure(cluster.ensemble.hosts)
    node.start()
    wait_until("all nodes have applied the newest revision", cluster.all_well)


def _float(cluster: Cluster, tell: Narrator, text: str) -> None:
    tell.step("A host with one path: db2 at an address that moves between n1 and n2")
    address = cluster.floating_address
    _forget_paths(cluster, WWID_DB2)
    text = text.replace("\ntargets:", FLOATING_MAP.replace("ADDRESS", address), 1)
    tell.apply(cluster, text, "with-pool.yaml", "db2 at a floating address")
    suit_one_path(cluster.initiator)
    wait_until("the address answers", lambda: _is_found(cluster, address))
    cluster.initiator.login(POOL)
    device = usable_device(cluster.initiator, WWID_DB2)
    tell.say(f"the initiator has {device} ({WWID_DB2}) with one path, through {address}")
    tell.ctl(cluster, "float", "list")


def _forget_paths(cluster: Cluster, wwid: str) -> None:
    """Remove a multipath device and its disks from the initiator, as its admin does after an unmapping."""
    (found,) = (each for each in cluster.initiator.multipaths() if each.wwid == wwid)
    host = cluster.initiator.machine
    # A program of udev may have it open, and its I/O waits for a path: docs/initiators.md, "Remove a LUN".
    host.run(f"multipathd disablequeueing map {found.name}")
    removal = f"udevadm settle --timeout=30; multipath -f {found.name}"
    wait_until(f"{found.name} is removed", lambda: host.run(removal, check=False).status == 0)
    for path in found.paths:
        host.run(f"echo 1 >/sys/block/{path.device}/device/delete")


def _is_found(cluster: Cluster, address: str) -> bool:
    try:
        return bool(cluster.initiator.discover(address))
    except LabError:
        return False


def _move(cluster: Cluster, tell: Narrator) -> None:
    tell.step("Moving the address from n1 to n2 under I/O, as before work on n1")
    _under_io(cluster, tell, lambda: tell.ctl(cluster, "float", "move", "pool", "gold", "n2"))


def _cut_power(cluster: Cluster, tell: Narrator) -> None:
    tell.step("Cutting the power of n2, which has the address: n1 takes it over")
    _under_io(cluster, tell, cluster.nodes[1].machine.kill)
    tell.ctl(cluster, "status", expect=6)


def _under_io(cluster: Cluster, tell: Narrator, act: Callable[[], object]) -> None:
    """Do something under verified I/O through the address, and print how long that waited."""
    io = cluster.initiator.verified_io(usable_device(cluster.initiator, WWID_DB2), offset=8 * MIB)
    wait_until("I/O is under way", lambda: io.progress.operations > 50)
    act()
    io.goes_on()
    done = io.stop()
    assert (done.errors, done.mismatches) == (0, 0), str(done)
    tell.say(f"I/O: {_sum_up(io)}")


def _sum_up(io: VerifiedIO) -> str:
    seen = io.progress
    return f"{seen.operations} verified operations, {seen.errors} errors, {seen.mismatches} mismatches, longest pause {seen.pause:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
