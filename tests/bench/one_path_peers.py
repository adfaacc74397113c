"""What others do with an address that moves: a bare script, keepalived, and Pacemaker with its agents.

The intervals of keepalived and the token of corosync make their detection as long as lunmapd's, which takes
an address 9.5 s after the last renewal: 3 intervals and a skew are 9 to 11 s (RFC 9568, section 6.1), token
and consensus 9.5 s (corosync.conf(5)). Nothing fences a node of Pacemaker here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.one_path import PATIENCE, TAG, Pauses, configure
from lab.wait import wait_until
from support import pacemaker
from support.cluster import HOST, SAN

if TYPE_CHECKING:
    from bench.one_path import Site
    from support.cluster import StorageNode

_ENABLE = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_{TAG}/enable"
_ANNOUNCE = Path(__file__).parent / "guest" / "announce.py"
_KEEPALIVED = """
global_defs {{ router_id {name} }}
vrrp_instance floating {{
    state BACKUP
    nopreempt
    interface data0
    virtual_router_id 51
    priority {priority}
    advert_int 3
    virtual_ipaddress {{ {address}/32 dev data0 }}
}}
"""
_TOKEN = 4300
_STOPPED = 90.0
"""Seconds: the agents of Pacemaker take up to a minute in an emulated machine."""
_IQN = "iqn.2026-01.org.example:pacemaker"
_TIMES = "op monitor interval=5s timeout=120s op start timeout=120s op stop timeout=120s"
# The address comes last: a host that logs in before its LUN is there finds a disk without a capacity.
_RESOURCES = """property stonith-enabled=false
rsc_defaults resource-stickiness=100
primitive ip1 ocf:heartbeat:IPaddr2 params ip={address} cidr_netmask=32 nic=data0 {times}
primitive t1 ocf:heartbeat:iSCSITarget params implementation=lio-t iqn={iqn} portals={address}:3260 \\
    allowed_initiators="{host}" {times}
primitive lun1 ocf:heartbeat:iSCSILogicalUnit params implementation=lio-t target_iqn={iqn} lun=0 \\
    path=/dev/vg0/db1 scsi_sn=12345678 {times}
group iscsi t1 lun1 ip1
"""
_PROCESSES = "corosync pacemakerd pacemaker-based pacemaker-fenced pacemaker-execd pacemaker-attrd pacemaker-schedulerd pacemaker-controld"
_SERVED = {"ip1", "t1", "lun1"}


def bare(site: Site, moves: int) -> Pauses:
    """Disable the TPG, move the address, announce it and enable the TPG on the other node, by a script."""
    for node in site.cluster.nodes:
        node.machine.put("/run/announce.py", _ANNOUNCE.read_text())
        node.machine.run(
            f"mkfifo /run/announce; setsid python3 /run/announce.py /run/announce {site.address} data0 >/dev/null 2>&1 </dev/null &"
        )

    def release(node: StorageNode) -> None:
        node.machine.run(f"echo 0 >{_ENABLE}; ip addr del {site.address}/32 dev data0 || true")

    def move(owner: StorageNode, to: StorageNode) -> None:
        release(owner)
        to.machine.run(
            f"ip addr add {site.address}/32 dev data0; echo -n x >/run/announce; echo 1 >{_ENABLE}"
        )

    move(*site.cluster.nodes)
    found = site.moves(moves, move)
    release(site.await_owner())
    return Pauses(found)


def keepalived(site: Site, moves: int, cuts: int) -> Pauses:
    """Let keepalived move the address alone: the TPG is enabled on both nodes."""
    for node in site.cluster.nodes:
        _set_up_keepalived(site, node)
    found = site.moves(moves, lambda owner, _: _restart_keepalived(site, owner))
    both = site.seconds_on_both(lambda node: node.machine.run("kill -STOP $(pidof keepalived)"))
    for node in site.cluster.nodes:
        node.machine.run("kill -CONT $(pidof keepalived)")
    paused, taken = zip(*(_cut_keepalived(site) for _ in range(cuts)), strict=True)
    for node in site.cluster.nodes:
        node.machine.run(_END_KEEPALIVED)
    return Pauses(found, paused, taken, both)


def _set_up_keepalived(site: Site, node: StorageNode) -> None:
    priority = 100 + site.cluster.nodes.index(node)
    text = _KEEPALIVED.format(name=node.name, priority=priority, address=site.address)
    node.machine.put("/run/keepalived.conf", text)
    node.machine.run(f"echo 1 >{_ENABLE}")
    _start_keepalived(node)


def _cut_keepalived(site: Site) -> tuple[float, float]:
    owner = site.await_owner()
    found = site.cut(owner)
    owner.machine.start()
    configure(site.cluster, owner)
    owner.once()  # makes the objects of LIO again
    _set_up_keepalived(site, owner)
    return found


_END_KEEPALIVED = "kill -TERM $(pidof keepalived); while pidof keepalived >/dev/null; do sleep 0.05; done"


def _start_keepalived(node: StorageNode) -> None:
    node.machine.run("setsid keepalived -n -f /run/keepalived.conf >/dev/null 2>&1 </dev/null &")


def _restart_keepalived(site: Site, owner: StorageNode) -> None:
    owner.machine.run(_END_KEEPALIVED)
    site.await_owner()
    _start_keepalived(owner)


def with_pacemaker(site: Site, moves: int) -> Pauses:
    """Let Pacemaker make the target, the LUN and the address on one node, after all others are done."""
    site.cluster.log_out()
    nodes = [node.machine for node in site.cluster.nodes]
    for machine in nodes:
        machine.run("targetctl clear", timeout=PATIENCE)
    pacemaker.start(nodes, _TOKEN)
    nodes[0].put(
        "/root/cluster.crm", _RESOURCES.format(address=site.address, iqn=_IQN, host=HOST, times=_TIMES)
    )
    pacemaker.crm(nodes[0], "configure", "load", "update", "/root/cluster.crm")
    _await_served(site)
    site.device = site.log_in(_IQN)
    found = site.moves(moves, lambda _, to: _move(to))
    owner = site.await_owner()
    both = site.seconds_on_both(lambda node: node.machine.run(f"kill -STOP $(pidof {_PROCESSES})"), _STOPPED)
    owner.machine.run(f"kill -CONT $(pidof {_PROCESSES})")
    _await_served(site)
    cut, taken = site.cut(site.await_owner())
    return Pauses(found, (cut,), (taken,), both)


def _await_served(site: Site) -> None:
    def is_served() -> bool:
        return any(pacemaker.started(node.machine).keys() == _SERVED for node in site.cluster.nodes)

    wait_until("Pacemaker serves the target", is_served, PATIENCE)
    site.await_owner()


def _move(to: StorageNode) -> None:
    """Move the group; the next move must not find the constraint that crm_resource makes for this one."""
    to.machine.run(f"crm_resource --resource iscsi --move --node {to.name}")
    to.machine.run(f"crm_resource --wait --timeout={PATIENCE:g}s", timeout=PATIENCE)
    to.machine.run("crm_resource --resource iscsi --clear")
