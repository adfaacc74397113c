"""The page "from Pacemaker" with a cluster of Pacemaker and corosync that runs, under verified I/O."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path as File

import pytest
import yaml

from lab.machines.initiator import Map, Path
from lab.machines.io import VerifiedIO
from lab.pytest_plugin import NewLab
from lab.wait import wait_until
from support import pacemaker
from support.cluster import HOST, Cluster, StorageNode, bring_up

pytestmark = pytest.mark.kernel

MIB = 1 << 20
IQN = "iqn.2026-01.org.example:old"
# Pacemaker kills a monitor that runs when the maintenance mode begins, so none may run then: User-Mode Linux
# 6.12 panics when a process is killed in fork (dup_mmap in kernel/fork.c leaves an XA_ZERO_ENTRY, which
# flush_tlb_mm in arch/um/kernel/tlb.c takes for a VMA). The first monitor runs at once.
TIMES = "op monitor interval=1h timeout=120s op start timeout=120s op stop timeout=120s"
# The address comes last: a host that logs in before its LUN is there finds a disk without a capacity.
RESOURCES = """property stonith-enabled=false
rsc_defaults resource-stickiness=100
primitive ip1 ocf:heartbeat:IPaddr2 params ip={address} cidr_netmask=24 {times}
primitive t1 ocf:heartbeat:iSCSITarget params implementation=lio-t iqn={iqn} portals={address}:3260 \\
    allowed_initiators="{host}" {times}
primitive lun1 ocf:heartbeat:iSCSILogicalUnit params implementation=lio-t target_iqn={iqn} lun=1 \\
    path=/dev/vg0/db1 scsi_sn=12345678 {times}
group iscsi t1 lun1 ip1
location at_first iscsi 50: n1
"""
# A start of Pacemaker's agents takes longer than the lab's hosts wait for a path.
_QUEUE = "sed -i 's/no_path_retry .*/no_path_retry queue/' /etc/multipath.conf; multipathd reconfigure"
# In place of systemd's: the daemon asks it whether it is being stopped for long.
_SYSTEMCTL = "#!/bin/sh\necho 1 lunmapd.service stop running\n"
SERVED = {"ip1": "n1", "t1": "n1", "lun1": "n1"}


@dataclass(frozen=True)
class Site:
    """Two nodes with Pacemaker and lunmapd, which is stopped; a host, and the address that moves."""

    cluster: Cluster
    address: str
    cib: File

    @property
    def nodes(self) -> tuple[StorageNode, ...]:
        """The nodes; Pacemaker serves the target on the first one."""
        return self.cluster.nodes

    def served(self) -> bool:
        """Return whether Pacemaker has started all resources on the first node."""
        return pacemaker.started(self.nodes[0].machine) == SERVED

    def maintenance(self, *, on: bool) -> None:
        """Begin or end the maintenance mode."""
        first = self.nodes[0].machine
        pacemaker.crm(first, "configure", "property", f"maintenance-mode={'true' if on else 'false'}")
        assert ("Resource management is DISABLED" in pacemaker.state(first)) == on

    def holders(self) -> list[str]:
        """Return the nodes whose kernel has the address."""
        command = f"ip -o address show to {self.address}"
        return [node.name for node in self.nodes if node.machine.run(command).stdout]

    def owner(self) -> str:
        """Return the node that serves the group, "" for none."""
        (group,) = json.loads(self.cluster.ctl("float", "list", "-o", "json").out)
        return next((str(each["node"]) for each in group["nodes"] if each["phase"] == "owner"), "")

    def lost_connections(self) -> int:
        """Return how often the host has lost a connection to a portal."""
        lost = self.cluster.initiator.machine.run("dmesg | grep -c 'detected conn error'", check=False)
        return int(lost.stdout)

    def take(self) -> None:
        """Take over what runs on the first node in maintenance mode, as the page says."""
        first = self.nodes[0]
        assert "the plan is empty: 1 targets" in first.machine.run("lunmapd adopt --check").stdout
        self.maintenance(on=True)
        first.stop()
        assert "no session was dropped" in first.machine.run("lunmapd adopt --take").stdout
        first.start()

    def take_group(self) -> None:
        """Take over the target, and wait until the first node serves the group."""
        self.take()
        wait_until("lunmapd serves the group", lambda: self.owner() == "n1")

    def forget(self, *resources: str) -> None:
        """Remove resources in maintenance mode, and let Pacemaker forget that it runs them; then end it.

        Without the second part it would stop them at the end of the maintenance mode.
        """
        first = self.nodes[0].machine
        lost = self.lost_connections()
        pacemaker.crm(first, "configure", "delete", *resources)
        assert "ORPHANED" in pacemaker.state(first)
        for name in resources:
            first.run(f"crm_resource --refresh --force --resource {name}", timeout=pacemaker.SECONDS)
        assert "ORPHANED" not in pacemaker.state(first)
        self.maintenance(on=False)
        assert self.lost_connections() == lost

    def serve_from_all(self, group_alone: str) -> None:
        """Move the host to the addresses of the nodes, step 5 of the page, and back to the group's.

        `group_alone` is the map with the group alone.
        """
        cluster, host = self.cluster, self.cluster.initiator
        own = {node.name: node.machine.address for node in self.nodes}
        portals = [f"--portal={name}={address}" for name, address in own.items()]
        both = with_port_id(cluster.ctl("convert", *portals, str(self.cib)).out)
        lost = self.lost_connections()
        cluster.ctl.apply(both)
        assert len(host.discover(self.address)) == 1 + len(own)
        for address in own.values():
            host.login(IQN, address)
        self.await_paths(self.address, *own.values())
        host.logout(IQN, self.address)
        self.await_paths(*own.values())
        lunmap = yaml.safe_load(both)
        del lunmap["targets"][IQN]["floating"]
        cluster.ctl.apply(yaml.safe_dump(lunmap))
        wait_until("the address is gone", lambda: not self.holders())
        assert self.lost_connections() == lost
        # The ways back, in the other order.
        cluster.ctl.apply(both)
        wait_until("a node serves the group", self.owner)
        host.login(IQN, self.address)
        self.await_paths(self.address, *own.values())
        for address in own.values():
            host.logout(IQN, address)
        self.await_paths(self.address)
        cluster.ctl.apply(group_alone)

    def await_paths(self, *addresses: str) -> None:
        """Wait until the host can use the disk through exactly these addresses."""
        self.cluster.initiator.wait_multipaths(
            lambda maps: [path.address for path in usable_paths(maps)] == sorted(addresses)
        )


def usable_paths(maps: list[Map]) -> list[Path]:
    """Return the usable paths of the only disk in the order of their addresses."""
    return sorted((path for each in maps for path in each.usable_paths), key=lambda path: path.address)


def with_port_id(text: str) -> str:
    """Return a converted map whose group has the port id that LIO gave to the LUN."""
    return text.replace("failback: manual", "failback: manual\n        port_id: 1")


@pytest.fixture
def site(new_lab: NewLab, tmp_path: File) -> Iterator[Site]:
    """Give the cluster whose first node serves the target, and a host that is logged in."""
    with new_lab(driver=pacemaker.with_peers()) as lab:
        cluster = bring_up(lab, nodes=2, memory="512M")  # 150M at rest, and 40M for each tool in Python
        first = cluster.nodes[0].machine
        pacemaker.start([node.machine for node in cluster.nodes])
        cluster.nodes[1].stop()
        for node in cluster.nodes:
            node.machine.put("/usr/local/bin/systemctl", _SYSTEMCTL, mode=0o755)
        address = f"{first.address.rpartition('.')[0]}.199"
        text = RESOURCES.format(address=address, iqn=IQN, host=HOST, times=TIMES)
        first.put("/root/cluster.crm", text)
        pacemaker.crm(first, "configure", "load", "update", "/root/cluster.crm")
        file = tmp_path / "cib.xml"
        file.write_text(first.run("cibadmin --query").stdout)
        made = Site(cluster, address, file)
        wait_until("Pacemaker serves the target", made.served, pacemaker.SECONDS)
        cluster.initiator.machine.run(_QUEUE)
        cluster.initiator.discover(address)
        cluster.initiator.login(IQN)
        yield made


@pytest.fixture
def io(site: Site, record_property: Callable[[str, object], None]) -> Iterator[VerifiedIO]:
    """Give I/O on the disk, of which nothing may fail, and which goes on until the end."""
    initiator = site.cluster.initiator
    (found,) = initiator.wait_multipaths(lambda maps: bool(maps and maps[0].usable_paths))
    initiator.machine.run("udevadm settle")
    io = initiator.verified_io(found.device, offset=MIB, rest=0.01)
    io.goes_on()
    yield io
    io.goes_on()
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    record_property("longest pause in seconds", final.pause)


def test_the_address_that_moves_becomes_a_floating_group_under_io(site: Site, io: VerifiedIO) -> None:
    """The steps of the page for a moving address, and for addresses of the nodes, with each way back.

    While Pacemaker serves the target, lunmapd changes nothing on its node. Afterwards the group moves.
    """
    cluster, (first, second) = site.cluster, site.nodes
    before = first.lio()
    lunmap = with_port_id(cluster.ctl("convert", str(site.cib)).out)
    cluster.ctl.apply(lunmap, wait=None)
    wait_until("lunmapd follows the map", lambda: "ForeignTarget" in cluster.ctl("status", expect=None).out)
    assert (first.lio(), site.holders()) == (before, ["n1"])
    site.take_group()
    io.goes_on()
    # The way back, and forward again.
    first.stop()
    assert site.holders() == []
    for command in (f"/iscsi delete {IQN}", "/backstores/block delete lun1"):
        first.machine.run(f"targetcli {command}", timeout=pacemaker.SECONDS)
    site.maintenance(on=False)
    wait_until("Pacemaker serves the target", site.served, pacemaker.SECONDS)
    io.goes_on()
    first.start()
    site.take_group()
    io.goes_on()  # by a new connection: the host has noticed that the take ended the former one
    site.forget("lun1", "t1", "ip1")
    second.start()
    wait_until("the second node can own the group", lambda: can_own(cluster, "n2"))
    cluster.ctl("float", "move", IQN, "ip1", "n2")
    assert site.holders() == ["n2"]
    io.goes_on()
    site.serve_from_all(lunmap)
    io.goes_on()
    # The way back after the resources are removed.
    for node in (second, first):
        node.stop()
        node.machine.run("targetctl clear", timeout=pacemaker.SECONDS)
    assert site.holders() == []
    pacemaker.crm(first.machine, "configure", "load", "update", "/root/cluster.crm")
    wait_until("Pacemaker serves the target", site.served, pacemaker.SECONDS)


def test_one_node_is_taken_over_under_io(site: Site, io: VerifiedIO) -> None:
    """No connection ends, on the way back either. Pacemaker keeps the address."""
    cluster, first = site.cluster, site.nodes[0]
    made = cluster.ctl("convert", "--node", "n1", str(site.cib), expect=6)
    assert f"address {site.address} moves between nodes" in made.err
    cluster.ctl.apply(made.out.replace("n1: {}", "n1: {port_id: 1}"), wait=None)
    site.take()
    wait_until("the node is as the map says", lambda: applied(cluster))
    first.stop()
    site.maintenance(on=False)
    wait_until("Pacemaker finds its resources", site.served, pacemaker.SECONDS)
    site.maintenance(on=True)
    first.start()
    site.forget("lun1", "t1")
    assert pacemaker.started(first.machine) == {"ip1": "n1"}
    wait_until("the node is as the map says", lambda: applied(cluster))
    io.goes_on()
    assert site.lost_connections() == 0


def applied(cluster: Cluster) -> bool:
    """Return whether the first node has applied the newest revision."""
    status = cluster.ctl.status()
    return bool(status["nodes"]["n1"]["applied"] == status["revision"])


def can_own(cluster: Cluster, name: str) -> bool:
    """Return whether a node is fit to own the group."""
    (group,) = json.loads(cluster.ctl("float", "list", "-o", "json").out)
    return any(each["node"] == name and each["fit"] for each in group["nodes"])
