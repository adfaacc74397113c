"""What a power cut of two storage nodes leaves of persistent reservations and of an adopted target."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from lab.errors import CommandFailed
from lab.pytest_plugin import NewLab
from lab.wait import PATIENCE, wait_until
from support.cluster import HOST, LOG, PID, Cluster, bring_up
from support.hosts import IN_EFFECT, NO_RESERVATION, Hosts, Place, Reservation

pytestmark = pytest.mark.kernel

SAN, OLD = "iqn.2026-01.org.example:san", "iqn.2003-01.org.linux-iscsi.old:san"
OTHER = "iqn.2026-01.org.example:host2"
LATE = "/dev/late"
_ONE = {"nodes": ["n1"]}
_BOTH = {"nodes": ["n1", "n2"], "shared": {"reservations": "per-node", "compare_and_write": "off"}}
# Name: LUN number, other fields.
_LUNS: dict[str, tuple[int, dict[str, Any]]] = {
    "removed": (4, _BOTH),
    "late": (5, _ONE | {"attributes": {"force_pr_aptpl": 1}}),
    "renumbered": (6, _ONE),
    "returned": (7, _ONE),
    "shared": (8, _BOTH),
    "added": (9, _BOTH),
}
_STAY = ("late", "renumbered", "returned", "shared", "added")
_RENUMBERED = 20
_TARGETCLI = f"""
set global auto_add_default_portal=false
/backstores/block create name=gold dev=/dev/disk/lab/db2 readonly=true
/backstores/block/gold set attribute block_size=4096
/backstores/fileio create name=plain file_or_dev=/srv/plain size=1M write_back=false
/iscsi create {OLD}
/iscsi/{OLD}/tpg1/luns create /backstores/block/gold lun=3
/iscsi/{OLD}/tpg1/luns create /backstores/fileio/plain lun=5
/iscsi/{OLD}/tpg1 set attribute default_cmdsn_depth=32
/iscsi/{OLD}/tpg1/portals create ADDRESS
/iscsi/{OLD}/tpg1/acls create {HOST}
/iscsi/{OLD}/tpg1/acls create {OTHER}
exit
"""
# The identity of a disk, its limits, its access and its size.
_IDENTITY = """
show() {
    for page in sn di bl bdc lbpv; do sg_vpd -p $page -H $1; done
    sg_inq -H $1; sg_modes -H $1 | grep -v sd; sg_readcap -O $1 | grep -v sd
}
"""


@dataclass(frozen=True)
class Scene:
    """Two nodes, the part of the map that adoption made, and two hosts."""

    cluster: Cluster
    adopted: dict[str, Any]
    checked: str
    hosts: Hosts

    def apply(self, *names: str, wait: float | None = PATIENCE, **numbers: int) -> None:
        """Apply a map with these Luns, some under other LUN numbers, and the adopted target."""
        luns = {name: _lun(name, numbers.get(name, _LUNS[name][0])) for name in names}
        nodes = {
            node.name: {"tpg_tag": tag, "portals": [node.machine.address]}
            for tag, node in enumerate(self.cluster.nodes, 1)
        }
        wanted = {
            "luns": luns | self.adopted.get("luns", {}),
            "targets": {SAN: {"nodes": ["n1", "n2"]}} | self.adopted.get("targets", {}),
            "initiators": {HOST: {}, OTHER: {}},
            "nodes": nodes,
        }
        self.cluster.ctl.apply(yaml.safe_dump(wanted), wait=wait)

    def places(self, node: int) -> dict[str, Place]:
        """Return where the hosts find the Luns of a node, as they were mapped first."""
        address = self.cluster.nodes[node].machine.address
        shown = _STAY if node == 0 else [name for name in _STAY if _LUNS[name][1] is _BOTH]
        found = {name: (address, SAN, _LUNS[name][0]) for name in shown}
        return found | {"adopted": (address, OLD, 5)} if node == 0 else found

    def reboot(self) -> None:
        """Pull both plugs, change a LUN number, and boot the nodes, the first one without the late device."""
        nodes, hosts = self.cluster.nodes, self.cluster.ensemble.hosts
        for node in nodes:
            node.machine.kill()
        self.apply(*_STAY, wait=None, renumbered=_RENUMBERED)
        self.cluster.lab.start(*(node.machine for node in nodes))
        for node in nodes:
            node.machine.run(f"rm -f {LOG}")
            node.configure(hosts)
            node.start()
        wait_until("the late device is missed", lambda: "BackingDeviceMissing" in nodes[0].log())
        nodes[0].machine.run(_LATE_DEVICE)
        wait_until("it is served", lambda: "storage_object late no longer fails" in nodes[0].log())


_LISTED = ("gold", "plain")
_LATE_DEVICE = f"ln -s $(readlink -f /dev/disk/lab/db1) {LATE}"


def _lun(name: str, number: int) -> dict[str, Any]:
    maps = [{"target": SAN, "lun": number, "initiator": host} for host in (HOST, OTHER)]
    backing = {"type": "fileio", "path": f"/srv/{name}"}
    own = (
        {"backing": {"type": "block", "path": LATE}}
        if name == "late"
        else {"backing": backing, "size": "1MiB"}
    )
    return {"serial": f"{list(_LUNS).index(name) + 1:x}" * 32, "maps": maps} | own | _LUNS[name][1]


@pytest.fixture(scope="module")
def scene(new_lab: NewLab) -> Iterator[Scene]:
    """Give two nodes with disks that survive, a map that grew and shrank, and hosts that are logged in.

    The first node has adopted a target of targetcli, whose LUN numbers in its TPG are not the lowest ones.
    """
    with new_lab() as lab:
        cluster = bring_up(lab, nodes=2, persistent=True)
        first = cluster.nodes[0]
        for node in cluster.nodes:
            node.machine.run(f"cd /srv; truncate -s 1M plain {' '.join(_LUNS)}")
        first.machine.run(f"{_LATE_DEVICE}; mkdir -p /run/dbus; dbus-daemon --system --fork")
        first.machine.run("targetcli", input=_TARGETCLI.replace("ADDRESS", first.machine.address))
        adopted = yaml.safe_load(first.machine.run("lunmapd adopt").stdout)
        hosts = Hosts(cluster.initiator, (HOST, OTHER))
        Scene(cluster, adopted, "", hosts).apply(*_STAY[:-1], "removed", wait=None)
        first.stop()
        scene = Scene(cluster, adopted, first.machine.run("lunmapd adopt --check").stdout, hosts)
        first.machine.run("lunmapd adopt --take")
        first.start()
        scene.apply(*_STAY)
        wait_until("both nodes are as the map says", cluster.all_well)
        scene.hosts.login(first.machine.address)
        yield scene


@dataclass(frozen=True)
class Outcome:
    """What the hosts see after the power cut, and of the adopted target before it."""

    before: str
    after: str
    first: dict[str, Reservation]
    second: dict[str, Reservation]
    status: str


@pytest.fixture(scope="module")
def outcome(scene: Scene) -> Outcome:
    """Reserve all Luns through both nodes, remove one Lun and roll that back, then cut the power."""
    adopted = {"gold": (scene.cluster.nodes[0].machine.address, OLD, 3), "plain": scene.places(0)["adopted"]}
    before = scene.hosts.read(_IDENTITY, adopted)
    last = {"adopted": scene.places(0)["adopted"]}
    for node in (0, 1):
        scene.hosts.reserve(
            {name: place for name, place in scene.places(node).items() if name not in last},
            without_aptpl="late",
        )
    scene.apply(*(name for name in _STAY if name != "returned"))
    revision = scene.cluster.ctl.status()["revision"]
    scene.cluster.ctl("rollback", str(revision - 1), "--yes", "--wait", str(PATIENCE))
    # The kernel does not write its file to the disk by itself.
    scene.hosts.reserve(last)
    scene.reboot()
    kept = {name: place for name, place in scene.places(0).items() if name != "renumbered"}
    return Outcome(
        before,
        scene.hosts.read(_IDENTITY, adopted),
        scene.hosts.reservations(kept),
        scene.hosts.reservations(scene.places(1)),
        scene.cluster.ctl("status", expect=None).out,
    )


def test_reservations_survive_a_power_cut(outcome: Outcome) -> None:
    """Through both nodes, after the map grew and shrank, with a late device and with an adopted target."""
    assert outcome.first == dict.fromkeys(("late", "shared", "added", "adopted"), IN_EFFECT) | {
        "returned": NO_RESERVATION
    }
    assert outcome.second == dict.fromkeys(("shared", "added"), IN_EFFECT)


def test_an_adopted_target_is_the_same_after_a_reboot(scene: Scene, outcome: Outcome) -> None:
    """Identity, block size, limits, access, and everything else that a host reads of a disk.

    What adoption itself sets is listed before: explicit ALUA becomes implicit.
    """
    assert scene.checked.count("access type Implicit and Explicit -> optimized, access type Implicit") == len(
        _LISTED
    )
    assert "the plan is empty: 1 targets" in scene.checked
    assert outcome.after == outcome.before
    assert "WP=1" in outcome.after


def test_a_reservation_without_a_place_is_reported(scene: Scene, outcome: Outcome) -> None:
    """That of a LUN whose number has changed is not restored; the report ends when its file is removed."""
    node = scene.cluster.nodes[0]
    assert "n1: ReservationsKept: NotRestored" in outcome.status
    assert f"as LUN {_LUNS['renumbered'][0]} of {SAN}, TPG 1, on the Lun renumbered" in outcome.status
    memory = "cat /sys/kernel/config/target/core/*/renumbered/pr/res_pr_registered_i_pts"
    assert "Node:" not in node.machine.run(memory).stdout
    serial = _lun("renumbered", 0)["serial"]
    node.machine.run(f"rm $(cat /sys/kernel/config/target/dbroot)/pr/aptpl_{serial}; kill -HUP $(cat {PID})")
    wait_until("nothing is reported", scene.cluster.all_well)


def test_a_node_that_cannot_write_reservations_reports_it(scene: Scene, outcome: Outcome) -> None:
    """The kernel refuses to keep a registration, and the condition is false as long as that is so."""
    node = scene.cluster.nodes[0]
    assert outcome.first
    files = "$(cat /sys/kernel/config/target/dbroot)/pr"
    reload = f"kill -HUP $(cat {PID})"
    node.machine.run(f"mount -t tmpfs -o ro none {files}; {reload}")
    wait_until(
        "it is reported",
        lambda: "ReservationsKept: Unwritable" in scene.cluster.ctl("status", expect=None).out,
    )
    with pytest.raises(CommandFailed, match="status 2 from"):
        scene.hosts.reserve({"returned": scene.places(0)["returned"]})
    node.machine.run(f"umount {files}; {reload}")
    wait_until("it is over", scene.cluster.all_well)
