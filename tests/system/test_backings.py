"""Files and devices that change under a Lun, with marked data and an initiator that uses them."""

import json
from functools import partial
from typing import Any

import pytest

from lab.wait import wait_until
from lunmapd.client import Client
from lunmapd.store.tree.backings import read_backings
from support.cluster import HOST, PID, SAN, Cluster

pytestmark = pytest.mark.kernel

MIB = 1 << 20
LENGTH = 64 * 4096
WWN = "/dev/disk/by-id/wwn-0x33333330000007d0"
SERIALS = {
    name: f"3f1d6c1e000{number}4f0b9f3e7a51c2d40000" for number, name in enumerate(("hot", "file", "lv"))
}
BACKINGS = {
    "hot": f"{{type: block, path: {WWN}}}",
    "file": "{type: fileio, path: /srv/a.img}",
    "lv": "{type: block, path: /dev/mapper/vg0-lv}",
}
# udevd names the disks, as on a storage node.
_PREPARE = """
/usr/lib/systemd/systemd-udevd --daemon
modprobe -a sd_mod dm_mod scsi_debug
dmsetup create -u LVM-one vg0-lv --table "0 $(blockdev --getsz /dev/disk/lab/db1) linear /dev/disk/lab/db1 0"
truncate -s 8M /srv/a.img
udevadm settle
"""


def map_of(address: str, **backings: str) -> str:
    """Return a map of the three Luns, as LUNs 1 to 3."""
    luns = "".join(
        f"  {name}:\n    serial: {SERIALS[name]}\n    backing: {backing}\n"
        + ("    size: 8MiB\n" if name == "file" else "")
        + f'    maps: [{{target: "{SAN}", lun: {number}, initiator: "{HOST}"}}]\n'
        for number, (name, backing) in enumerate({**BACKINGS, **backings}.items(), 1)
    )
    nodes = f"nodes:\n  n1: {{tpg_tag: 1, portals: [{address}]}}\n"
    return f'luns:\n{luns}targets:\n  "{SAN}": {{nodes: [n1]}}\ninitiators:\n  "{HOST}": {{}}\n{nodes}'


@pytest.fixture(scope="module")
def cluster(one_node: Cluster) -> Cluster:
    """Give a node that serves a disk, a file and a logical volume, and an initiator that is logged in."""
    node = one_node.nodes[0]
    node.machine.run(_PREPARE)
    one_node.ctl.apply(map_of(node.machine.address))
    one_node.initiator.discover(node.machine.address)
    one_node.initiator.login()
    wait_until("three disks", lambda: len(disks(one_node)) == len(BACKINGS))
    return one_node


def disks(cluster: Cluster) -> dict[int, str]:
    """Return the initiator's disks by LUN number."""
    listed = cluster.initiator.machine.run("ls -d /sys/class/scsi_disk/*/device/block/*", check=False).stdout
    words = [line.split("/") for line in listed.splitlines()]
    return {int(each[4].rpartition(":")[2]): f"/dev/{each[-1]}" for each in words}


def audit(cluster: Cluster) -> None:
    """Let the node make a full pass at once."""
    cluster.nodes[0].machine.run(f"kill -HUP $(cat {PID})")


def reasons(cluster: Cluster) -> dict[str, str]:
    """Return the reason of each failing object."""
    with Client.connect(cluster.ensemble.hosts) as client:
        status = client.fleet().nodes["n1"].status
    assert status is not None
    return {each.object: each.reason for each in status.failing}


def await_reasons(cluster: Cluster, **wanted: str) -> None:
    """Wait until exactly these storage objects fail for these reasons."""
    expected = {f"storage_object {name}": reason for name, reason in wanted.items()}
    audit(cluster)
    wait_until(f"the failures {wanted}", lambda: reasons(cluster) == expected)


def run(cluster: Cluster, script: str, *, check: bool = True) -> Any:
    """Run a script on the initiator."""
    return cluster.initiator.machine.run(script, check=check)


def test_a_disk_that_was_pulled_serves_again_when_it_is_back(cluster: Cluster) -> None:
    """The initiator gets errors while it is away, and its data once it is back under other numbers."""
    disk, node = disks(cluster)[1], cluster.nodes[0].machine
    cluster.initiator.write_pattern(disk, 7, 0, LENGTH)
    node.run("echo 1 >/sys/block/sda/device/delete; udevadm settle")
    assert run(cluster, f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct", check=False).status
    await_reasons(cluster, hot="BackingDeviceMissing")
    node.run("for host in /sys/class/scsi_host/host*/scan; do echo '- - -' >$host; done")
    named = f"until [ -e {WWN} ]; do sleep 0.1; done; readlink {WWN}"
    assert node.run(named).stdout.strip() == "../../sdb"
    await_reasons(cluster)
    wait_until("all is as the map says", cluster.all_well)
    read = partial(run, cluster, f"dd if={disk} of=/dev/null bs=4k count=1 iflag=direct", check=False)
    wait_until("the disk answers", lambda: read().status == 0)
    found = cluster.initiator.verify_pattern(disk, 7, 0, LENGTH)
    assert (found.errors, found.mismatches) == (0, 0)


def test_a_replaced_file_is_never_opened_by_itself(cluster: Cluster) -> None:
    """The initiator keeps using the opened file, which can be put back, until an override allows another."""
    disk, node = disks(cluster)[2], cluster.nodes[0].machine
    cluster.initiator.write_pattern(disk, 1, 0, LENGTH)
    node.run("cd /srv; ln a.img keep; cp a.img new; mv new a.img")
    await_reasons(cluster, file="BackingReplaced")
    cluster.initiator.write_pattern(disk, 2, 0, LENGTH)
    assert cluster.initiator.verify_pattern(disk, 2, 0, LENGTH).mismatches == 0
    assert node.run("cmp -s /srv/a.img /srv/keep", check=False).status == 1
    step = json.loads(node.run("lunmapd plan -o json", check=False).stdout)["steps"][0]
    assert step["held"]
    assert (
        "BackingReplaced" in node.run("lunmapctl status || lunmapd plan", check=False).stdout or step["why"]
    )
    node.run("cd /srv; mv a.img other; mv keep a.img")
    await_reasons(cluster)
    assert cluster.initiator.verify_pattern(disk, 2, 0, LENGTH).mismatches == 0
    node.run("cd /srv; ln a.img keep; mv other a.img")
    await_reasons(cluster, file="BackingReplaced")
    cluster.ctl("override", "other-data", "--lun", "file", "-m", "the restored file is the right one")
    await_reasons(cluster)
    wait_until("all is as the map says", cluster.all_well)
    wait_until(
        "the data of the other file",
        lambda: cluster.initiator.verify_pattern(disk, 1, 0, LENGTH).mismatches == 0,
    )


def test_a_shorter_file_is_told_of_before_anybody_reads_it(cluster: Cluster) -> None:
    """The kernel gives zeros behind its end and no error, so the initiator can't know."""
    disk, node = disks(cluster)[2], cluster.nodes[0].machine
    cluster.initiator.write_pattern(disk, 3, 4 * MIB, LENGTH)
    node.run("cp /srv/a.img /srv/copy; truncate -s 1M /srv/a.img")
    await_reasons(cluster, file="BackingTruncated")
    read = f"dd if={disk} bs=1M skip=4 count=1 iflag=direct | cmp -n $((1<<20)) - /dev/zero && echo zeros"
    assert run(cluster, read).stdout == "zeros\n"
    node.run("dd if=/srv/copy of=/srv/a.img conv=notrunc")
    await_reasons(cluster)
    assert cluster.initiator.verify_pattern(disk, 3, 4 * MIB, LENGTH).mismatches == 0


def test_another_name_of_the_opened_device_is_proven_by_the_node(cluster: Cluster) -> None:
    """The names that udev gives are reported, and accepted as a path without permission."""
    with Client.connect(cluster.ensemble.hosts) as client:
        report = read_backings(client._session, ["n1"])["n1"].luns["lv"]
    name = "/dev/disk/by-id/dm-uuid-LVM-one"
    assert report.identity == {"dm_uuid": "LVM-one"}
    assert name in report.names
    address = cluster.nodes[0].machine.address
    cluster.ctl.apply(map_of(address, lv=f"{{type: block, path: {name}}}"))
    refused = cluster.ctl.apply(map_of(address, lv="{type: block, path: /dev/disk/lab/db2}"), expect=3).err
    assert "n1 does not know /dev/disk/lab/db2 as a name of the opened device" in refused


PROGRAM = f"""luns:
  program:
    serial: {"ab" * 16}
    backing: {{type: user, config: none/such}}
    size: 64MiB
    maps: [{{target: "{SAN}", lun: 4, initiator: "{HOST}"}}]
"""


def await_handler_away(cluster: Cluster) -> None:
    """Wait until the node reports that no program has the device of the Lun open."""
    audit(cluster)
    away = {"storage_object program": "HandlerAway"}.items()
    wait_until("the failure", lambda: reasons(cluster).items() >= away)


def test_a_program_that_does_not_run_costs_no_other_lun(cluster: Cluster) -> None:
    """A host that logs in sees all other LUNs; the program's one is there once its handler is.

    LIO lists the LUN that was mapped last first, and a host gives up its scan at one that does not answer.
    """
    node, old = cluster.nodes[0], map_of(cluster.nodes[0].machine.address)
    cluster.ctl.apply(old.replace("luns:\n", PROGRAM, 1), wait=None)
    await_handler_away(cluster)
    cluster.initiator.logout()
    cluster.login()
    wait_until("the other disks", lambda: sorted(disks(cluster)) == [1, 2, 3])
    node.machine.run(
        "device=/dev/$(basename $(dirname $(grep -l /program/ /sys/class/uio/*/name))); "
        "setsid sleep 600 <>$device >/dev/null 2>&1 & echo $! >/run/handler; "
        "until [ $(readlink /proc/$(cat /run/handler)/fd/0) = $device ]; do sleep 0.05; done"
    )
    audit(cluster)
    wait_until("all is as the map says", cluster.all_well)
    node.machine.run("kill $(cat /run/handler)")
    await_handler_away(cluster)
    cluster.ctl.apply(old)
    await_reasons(cluster)
