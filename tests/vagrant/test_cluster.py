"""The Vagrantfile for real: one `vagrant up` with the Debian package. The tests build on each other."""

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from lab.wait import wait_for
from vagrant.box import build
from vagrant.cluster import TREE, UP, Cluster, cluster

BUILD = TREE / "build/vagrant"
SITE = "iqn.2026-01.org.example"


@pytest.fixture(scope="module")
def machines() -> Iterator[Cluster]:
    """All machines, after one `vagrant up`."""
    with cluster(BUILD, build(BUILD)) as made:
        made.vagrant("up", timeout=UP)
        made.learn_addresses()
        yield made


def _status(machines: Cluster) -> Any:
    """Return the status of a cluster that has converged; it exits with 0 for no other."""
    return machines.answer("n1", "lunmapctl status -o json")


def _converged(machines: Cluster, seconds: float = 300) -> Any:
    found = wait_for("lunmapctl status", lambda: _status(machines), bool, seconds)
    assert [node["node"] for node in found["nodes"]] == machines.nodes
    assert all(node["alive"] and node["standing"] == "converged" for node in found["nodes"])
    assert {node["applied"] for node in found["nodes"]} == {found["revision"]}
    return found


def _lio(machines: Cluster, node: str) -> Any:
    """Return LIO's configuration on a node, as rtslib's own tool saves it."""
    return machines.answer(node, "targetctl save /run/lio.json; cat /run/lio.json")


def _map(machines: Cluster) -> Any:
    return machines.answer("n1", "lunmapctl get -o json")


def _check_lio(machines: Cluster, node: str) -> None:
    """Compare a node's LIO with the map: storage object, target, portal, LUN, ACL and mapped LUN only."""
    wanted, found = _map(machines), _lio(machines, node)
    lun = wanted["luns"][f"disk-{node}"]
    (storage,) = found["storage_objects"]
    assert (storage["plugin"], storage["dev"], storage["size"]) == ("fileio", f"/srv/{node}.img", 64 << 20)
    assert storage["wwn"].replace("-", "") == lun["serial"]
    (target,) = found["targets"]
    assert target["wwn"] == f"{SITE}:{node}"
    (tpg,) = target["tpgs"]
    assert tpg["enable"] is True
    assert tpg["tag"] == wanted["nodes"][node]["tpg_tag"]
    assert [f"{portal['ip_address']}:{portal['port']}" for portal in tpg["portals"]] == wanted["nodes"][node][
        "portals"
    ]
    assert [(each["index"], each["storage_object"]) for each in tpg["luns"]] == [
        (0, f"/backstores/fileio/{storage['name']}")
    ]
    (acl,) = tpg["node_acls"]
    assert acl["node_wwn"] == f"{SITE}:host1"
    assert [(each["index"], each["tpg_lun"], each["write_protect"]) for each in acl["mapped_luns"]] == [
        (0, 0, False)
    ]


def _device(machines: Cluster, node: str) -> str:
    (portal,) = _map(machines)["nodes"][node]["portals"]
    return f"/dev/disk/by-path/ip-{portal}-iscsi-{SITE}:{node}-lun-0"


def _keep(machines: Cluster, machine: str, command: str) -> None:
    """Keep the output of a command, for the documentation and for the analysis of a failure."""
    name = f"{machine}-{command.replace(' ', '-')}.txt"
    (machines.logs / name).write_text(machines.run(machine, command).stdout)


def test_vagrant_up_ends_with_a_converged_cluster(machines: Cluster) -> None:
    """Every node runs the packaged unit, lives, and has applied the one revision that there is."""
    found = _converged(machines, seconds=30)
    _keep(machines, "n1", "lunmapctl status")
    assert found["revision"] == 1
    for node in machines.nodes:
        machines.run(node, "systemctl is-active lunmapd; systemctl is-enabled lunmapd; dpkg --verify lunmapd")
        assert machines.run(node, "systemctl show -P FragmentPath lunmapd").stdout.strip() == (
            "/usr/lib/systemd/system/lunmapd.service"
        )


def test_lio_on_every_node_is_as_the_map_says(machines: Cluster) -> None:
    """Each node serves its own Lun to the initiator, under the serial of the map, and nothing else."""
    for node in machines.nodes:
        _check_lio(machines, node)
        _keep(machines, node, "targetcli ls")


def test_the_initiator_sees_every_lun(machines: Cluster) -> None:
    """There is one disk for each Lun, with serial and product; written data is in the node's file."""
    luns = _map(machines)["luns"]
    _keep(machines, "host1", "lsscsi")
    for node in machines.nodes:
        device = _device(machines, node)
        (disk,) = machines.answer("host1", f"lsblk -Jbdo SERIAL,MODEL,SIZE {device}")["blockdevices"]
        assert disk == {"serial": luns[f"disk-{node}"]["serial"], "model": f"disk-{node}", "size": 64 << 20}
        pattern = secrets.token_hex(2048)
        machines.run("host1", f"printf %s {pattern} | dd of={device} bs=4096 oflag=direct iflag=fullblock")
        digest = machines.run(node, f"head -c 4096 /srv/{node}.img | sha256sum").stdout.split()[0]
        assert digest == hashlib.sha256(pattern.encode()).hexdigest()


def test_provisioning_again_changes_nothing(machines: Cluster) -> None:
    """No new revision, LIO as it was, and every session of the initiator still the same one."""
    before = {node: _lio(machines, node) for node in machines.nodes}
    sessions = machines.run("host1", "iscsiadm --mode session | sort").stdout
    machines.vagrant("provision")
    assert _converged(machines)["revision"] == 1
    assert {node: _lio(machines, node) for node in machines.nodes} == before
    assert machines.run("host1", "iscsiadm --mode session | sort").stdout == sessions


def test_a_node_that_reboots_serves_again(machines: Cluster) -> None:
    """After a boot the unit is running, LIO is as the map says, and the initiator reads its data."""
    read = f"dd if={_device(machines, 'n1')} bs=4096 count=1 iflag=direct 2>/dev/null | sha256sum"
    written, booted = (machines.run(name, what).stdout for name, what in (("host1", read), ("n1", _BOOT)))
    machines.vagrant("reload", "n1")
    machines.learn_addresses()
    assert machines.run("n1", _BOOT).stdout != booted
    _converged(machines)
    _check_lio(machines, "n1")
    again = wait_for(read, lambda: machines.run("host1", read).stdout, lambda found: found == written)
    assert again == written


_BOOT = "cat /proc/sys/kernel/random/boot_id"


def test_destroy_leaves_no_machine(machines: Cluster) -> None:
    """Machines, their disks and the network are gone."""
    machines.vagrant("destroy", "--force")
    assert machines.virsh("list", "--all", "--name").split() == []
    assert "lunmapd" not in machines.virsh("net-list", "--all", "--name").split()
    volumes = machines.virsh("vol-list", "default")
    assert "_n1" not in volumes, volumes
