"""An address that moves under verified I/O of a host with one path: beside a bare script and keepalived.

All are measured on the same two nodes, one after the other. keepalived's interval makes its detection as long
as lunmapd's: 3 intervals and its skew (RFC 9568, section 6.1) are about ten seconds.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.figure import AtMost, Figure, Measured, seconds, times_bare
from lab import Lab
from lab.wait import wait_for, wait_until
from lunmapd.service.zookeeper import ZooKeeperSettings
from support.cluster import DB1, HOST, PID, SAN, SETTINGS, Cluster, StorageNode, bring_up

if TYPE_CHECKING:
    from collections.abc import Callable

MOVES = 10
CUTS = 3
TAG = 1001
SESSION_TIMEOUT = ZooKeeperSettings(()).session_timeout
_ENABLE = f"/sys/kernel/config/target/iscsi/{SAN}/tpgt_{TAG}/enable"
_MIB = 1 << 20
_STOPPED = 20.0
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
_MAP = f"""
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
      gold: {{tpg_tag: {TAG}, portals: ["FLOATING:3260"], nodes: [n1, n2], failback: manual}}
initiators:
  {HOST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: ["ADDRESS1:3260"]}}
  n2: {{tpg_tag: 2, portals: ["ADDRESS2:3260"]}}
"""


@dataclass(frozen=True)
class Pauses:
    """The longest pause of I/O in seconds, for each move and for each power cut of the owner.

    `taken` is when another node had the address after each power cut: the rest of a pause is the host's.
    `both` is for how long two nodes had the address after all processes of its owner were stopped.
    """

    moves: tuple[float, ...]
    cuts: tuple[float, ...] = ()
    taken: tuple[float, ...] = ()
    both: float | None = None

    def __str__(self) -> str:
        """Return all of them."""
        both = "" if self.both is None else f"; on two nodes for {self.both:.2f} s"
        cuts = f"power cuts {_shown(self.cuts)}, taken over after {_shown(self.taken)}"
        return f"moves {_shown(self.moves)}; {cuts}{both}"


def _shown(pauses: tuple[float, ...]) -> str:
    return ", ".join(f"{each:.2f}" for each in pauses) + " s" if pauses else "not measured"


class _Bench:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        network, _, _ = cluster.nodes[0].machine.address.rpartition(".")
        self.address = f"{network}.240"
        text = _MAP.replace("FLOATING", self.address)
        for number, node in enumerate(cluster.nodes, 1):
            text = text.replace(f"ADDRESS{number}", node.machine.address)
        for node in cluster.nodes:
            node.stop()
            _configure(cluster, node)
            node.start()
        self.text = text
        cluster.ctl.apply(text)
        self.await_owner()
        cluster.initiator.discover(self.address)
        cluster.initiator.login(SAN)
        maps = cluster.initiator.wait_multipaths(
            lambda found: any(each.wwid == DB1 and each.usable_paths for each in found)
        )
        self.device = next(each.device for each in maps if each.wwid == DB1)
        there = f"test -b {self.device}"
        wait_until(
            "the device is there", lambda: not cluster.initiator.machine.run(there, check=False).status
        )

    def owners(self) -> list[StorageNode]:
        """Return the nodes whose kernel has the address."""
        command = f"ip -o address show | grep -c ' {re.escape(self.address)}/' || true"
        alive = [node for node in self.cluster.nodes if node.machine.running()]
        return [node for node in alive if node.machine.run(command).stdout.strip() != "0"]

    def await_owner(self) -> StorageNode:
        """Wait until one node has the address."""
        (owner,) = wait_for("one owner", self.owners, lambda found: len(found) == 1)
        return owner

    def other(self, node: StorageNode) -> StorageNode:
        """Return the other node."""
        return next(each for each in self.cluster.nodes if each is not node)

    def pause(self, act: Callable[[], object]) -> float:
        """Return the longest pause of I/O while something is done."""
        io = self.cluster.initiator.verified_io(self.device, offset=_MIB)
        wait_until("the I/O begins", lambda: io.progress.operations > 50)
        act()
        then = io.progress.operations
        wait_until("the I/O goes on again", lambda: io.progress.operations > then + 50)
        final = io.stop()
        assert (final.errors, final.mismatches) == (0, 0), final
        return final.pause

    def moves(self, move: Callable[[StorageNode, StorageNode], object]) -> tuple[float, ...]:
        """Return the pauses of moves to and fro."""
        found = []
        for _ in range(MOVES):
            owner = self.await_owner()
            found.append(self.pause(partial(move, owner, self.other(owner))))
        return tuple(found)

    def seconds_on_both(self, stop: Callable[[StorageNode], object]) -> float:
        """Stop what holds the address on its owner; return for how long both nodes were seen with it."""
        stop(self.await_owner())
        began, first, last = time.monotonic(), 0.0, 0.0
        while time.monotonic() < began + _STOPPED:
            if len(self.owners()) > 1:
                last = time.monotonic()
                first = first or last
        return last - first


def _lunmapd(bench: _Bench) -> Pauses:
    cluster = bench.cluster

    def move(_: StorageNode, to: StorageNode) -> None:
        cluster.ctl("float", "move", SAN, "gold", to.name)

    moves = bench.moves(move)
    cuts, taken = zip(*(_cut_and_restore(bench) for _ in range(CUTS)), strict=True)
    owner = bench.await_owner()
    both = bench.seconds_on_both(lambda node: node.machine.run(_signal_tree("STOP")))
    owner.machine.run(_signal_tree("CONT"), check=False)
    wait_until("both nodes are well", cluster.all_well)
    return Pauses(moves, cuts, taken, both)


def _cut_and_restore(bench: _Bench) -> tuple[float, float]:
    owner = bench.await_owner()
    found = _cut(bench, owner)
    owner.machine.start()
    _configure(bench.cluster, owner)
    owner.start()
    wait_until("both nodes are well", bench.cluster.all_well)
    return found


def _configure(cluster: Cluster, node: StorageNode) -> None:
    """Write the settings of a node with the session timeout that lunmapd has without one."""
    node.configure(cluster.ensemble.hosts)
    node.machine.run(f"sed -i 's/session_timeout: .*/session_timeout: {SESSION_TIMEOUT:g}/' {SETTINGS}")


def _cut(bench: _Bench, owner: StorageNode) -> tuple[float, float]:
    """Switch the owner off; return the pause of I/O, and when the other node had the address."""
    taken: list[float] = []

    def cut() -> None:
        began = time.monotonic()
        owner.machine.kill()
        bench.await_owner()
        taken.append(time.monotonic() - began)

    return bench.pause(cut), taken[0]


def _signal_tree(name: str) -> str:
    return f"pid=$(cat {PID}); kill -{name} $pid $(cat /proc/$pid/task/*/children)"


def _bare(bench: _Bench) -> Pauses:
    for node in bench.cluster.nodes:
        node.machine.put("/run/announce.py", _ANNOUNCE.read_text())
        node.machine.run(
            f"mkfifo /run/announce; setsid python3 /run/announce.py /run/announce {bench.address} data0 >/dev/null 2>&1 </dev/null &"
        )

    def move(owner: StorageNode, to: StorageNode) -> None:
        owner.machine.run(f"echo 0 >{_ENABLE}; ip addr del {bench.address}/32 dev data0")
        to.machine.run(
            f"ip addr add {bench.address}/32 dev data0; echo -n x >/run/announce; echo 1 >{_ENABLE}"
        )

    first = bench.cluster.nodes[0]
    first.machine.run(
        f"ip addr add {bench.address}/32 dev data0; echo -n x >/run/announce; echo 1 >{_ENABLE}"
    )
    bench.other(first).machine.run(f"echo 0 >{_ENABLE}")
    moves = bench.moves(move)
    bench.await_owner().machine.run(f"ip addr del {bench.address}/32 dev data0")
    return Pauses(moves)


def _keepalived(bench: _Bench) -> Pauses:
    for priority, node in enumerate(bench.cluster.nodes, 100):
        text = _KEEPALIVED.format(name=node.name, priority=priority, address=bench.address)
        node.machine.put("/run/keepalived.conf", text)
        node.machine.run(f"echo 1 >{_ENABLE}")
        _start_keepalived(node)
    moves = bench.moves(lambda owner, _: _restart_keepalived(bench, owner))
    both = bench.seconds_on_both(lambda node: node.machine.run("kill -STOP $(pidof keepalived)"))
    for node in bench.cluster.nodes:
        node.machine.run("kill -CONT $(pidof keepalived)")
    owner = bench.await_owner()
    cut, taken = _cut(bench, owner)
    return Pauses(moves, (cut,), (taken,), both)


def _start_keepalived(node: StorageNode) -> None:
    node.machine.run("setsid keepalived -n -f /run/keepalived.conf >/dev/null 2>&1 </dev/null &")


def _restart_keepalived(bench: _Bench, owner: StorageNode) -> None:
    owner.machine.run(
        "kill -TERM $(pidof keepalived); while pidof keepalived >/dev/null; do sleep 0.05; done"
    )
    bench.await_owner()
    _start_keepalived(owner)


@cache
def measured() -> tuple[Pauses, Pauses, Pauses]:
    """Return the pauses of lunmapd, of the bare script and of keepalived."""
    with Lab() as lab:
        bench = _Bench(bring_up(lab, nodes=2))
        ours = _lunmapd(bench)
        for node in bench.cluster.nodes:
            node.stop()
        wait_until("the lease has ended", lambda: not bench.owners())
        bare = _bare(bench)
        peer = _keepalived(bench)
        for name, pauses in (("lunmapd", ours), ("bare script", bare), ("keepalived", peer)):
            print(f"   {name}: {pauses}", flush=True)
        return ours, bare, peer


def _move() -> Measured:
    ours, bare, peer = measured()
    return times_bare(median(ours.moves), median(bare.moves), f"keepalived: {seconds(median(peer.moves))}")


def _power_cut() -> Measured:
    ours, _, peer = measured()
    longest = max(ours.cuts)
    return Measured(longest - SESSION_TIMEOUT, seconds(longest), seconds(max(peer.cuts)), "bare: keepalived")


def _on_both() -> Measured:
    ours, _, peer = measured()
    both, beside = ours.both or 0.0, peer.both or 0.0
    return Measured(both, f"{both:.3g} s", f"{beside:.3g} s", "bare: keepalived")


FIGURES = (
    Figure(
        "floating_move_vs_bare", "I/O pause of a planned move of an address, one path", AtMost(1.2), _move
    ),
    Figure(
        "floating_power_cut",
        "I/O pause of the owner's power cut, less the session timeout",
        AtMost(3.0),
        _power_cut,
    ),
    Figure(
        "floating_on_two_nodes",
        "seconds on two nodes, all processes of the owner stopped",
        AtMost(0.0),
        _on_both,
    ),
)
