"""Two storage nodes and a host with one path, whose address moves: what all peers are measured on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lab.wait import wait_for, wait_until
from lunmapd.service.zookeeper import ZooKeeperSettings
from support.cluster import HOST, SAN, SETTINGS, Cluster, StorageNode
from support.one_path import suit_one_path, usable_device

if TYPE_CHECKING:
    from collections.abc import Callable

TAG = 1001
SESSION_TIMEOUT = ZooKeeperSettings(()).session_timeout
PATIENCE = 300.0
"""Seconds; the agents of Pacemaker are slow in an emulated machine."""
_MIB = 1 << 20
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


class Site:
    """Two nodes and a host, which is logged in to `address` and uses `device`, a multipath device."""

    def __init__(self, cluster: Cluster) -> None:
        """Let lunmapd serve the address, with the session timeout that it has without a setting."""
        self.cluster = cluster
        self.address = cluster.floating_address
        for node in cluster.nodes:
            node.stop()
            configure(cluster, node)
            node.start()
        cluster.ctl.apply(cluster.filled(_MAP))
        self.await_owner()
        suit_one_path(cluster.initiator)
        self.device = self.log_in(SAN)

    def log_in(self, target: str) -> str:
        """Let the host log in to the address alone; return its device."""
        initiator = self.cluster.initiator
        initiator.discover(self.address)
        initiator.login(target)
        return usable_device(initiator)

    def await_owner(self) -> StorageNode:
        """Wait until one node has the address."""
        (owner,) = wait_for("one owner", self.cluster.owners, lambda found: len(found) == 1, PATIENCE)
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
        wait_until("the I/O goes on again", lambda: io.progress.operations > then + 50, PATIENCE)
        final = io.stop()
        assert (final.errors, final.mismatches) == (0, 0), final
        return final.pause

    def moves(self, count: int, move: Callable[[StorageNode, StorageNode], object]) -> tuple[float, ...]:
        """Return the pauses of moves to and fro."""
        found = []
        for _ in range(count):
            owner = self.await_owner()
            found.append(self.pause(partial(move, owner, self.other(owner))))
        return tuple(found)

    def seconds_on_both(self, stop: Callable[[StorageNode], object], stopped: float = 20.0) -> float:
        """Stop what holds the address on its owner; return for how long both nodes were seen with it.

        They are looked at for `stopped` seconds.
        """
        stop(self.await_owner())
        began, first, last = time.monotonic(), 0.0, 0.0
        while time.monotonic() < began + stopped:
            if len(self.cluster.owners()) > 1:
                last = time.monotonic()
                first = first or last
        return last - first

    def cut(self, owner: StorageNode) -> tuple[float, float]:
        """Switch the owner off; return the pause of I/O, and when the other node had the address."""
        taken: list[float] = []

        def power_off() -> None:
            began = time.monotonic()
            owner.machine.kill()
            self.await_owner()
            taken.append(time.monotonic() - began)

        return self.pause(power_off), taken[0]


def configure(cluster: Cluster, node: StorageNode) -> None:
    """Write the settings of a node with the session timeout that lunmapd has without one."""
    node.configure(cluster.ensemble.hosts)
    node.machine.run(f"sed -i 's/session_timeout: .*/session_timeout: {SESSION_TIMEOUT:g}/' {SETTINGS}")
