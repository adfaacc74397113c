"""A floating address on real kernels, under verified I/O of a host with one path.

`make chaos-machines` runs it: planned moves first, then random faults of the nodes. No command may fail, no
block may differ, and a recorder on each node may never show the address on both.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from lab import Lab
from lab.wait import wait_until
from support import address_recorder
from support.cluster import DB1, HOST, PID, SAN, Cluster, StorageNode, bring_up
from support.intervals import Overlap, find_overlaps, longest_gap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.machines.command import Running
    from lab.machines.io import Progress

SEED = 20260101
LOGS = Path("build") / "chaos-machines"
_LASTS = (1.0, 6.0, 12.0, 20.0)
_OFFSET = 1 << 20
_ACCURACY = 0.05
"""Seconds to which the clocks of two machines are compared: the transit of a line of text."""

_RECORDER = "/run/address_recorder.py"
_DEVICES = """
for d in db1 db2; do
    dmsetup create slow-$d --table "0 $(blockdev --getsz $(readlink -f /dev/disk/lab/$d)) linear $(readlink -f /dev/disk/lab/$d) 0"
done
dmsetup mknodes
"""
_MAP = f"""
luns:
  db1:
    serial: 3f1d6c1e00014f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/mapper/slow-db1}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 0, initiator: "{HOST}"}}]
  db2:
    serial: 3f1d6c1e00044f0b9f3e7a51c2d40000
    backing: {{type: block, path: /dev/mapper/slow-db2}}
    shared: {{reservations: off, compare_and_write: off}}
    maps: [{{target: "{SAN}", lun: 1, initiator: "{HOST}"}}]
targets:
  {SAN}:
    nodes: {{}}
    floating:
      gold: {{tpg_tag: 1001, portals: ["FLOATING:3260"], nodes: [n1, n2], failback: manual}}
initiators:
  {HOST}: {{}}
nodes:
  n1: {{tpg_tag: 1, portals: ["ADDRESS1:3260"]}}
  n2: {{tpg_tag: 2, portals: ["ADDRESS2:3260"]}}
"""
_TREE = "pid=$(cat {PID}); kill -{signal} $pid $(cat /proc/$pid/task/*/children)"
_BURN = "for i in 1 2 3 4; do timeout {seconds} sh -c 'while :; do :; done' & done; timeout {seconds} python3 -c 'import time; block = bytearray(int({share} * 1024 * int(open(\"/proc/meminfo\").read().split()[7]))); block[::4096] = b\"x\" * len(block[::4096]); time.sleep({seconds})' & wait"


class Fault(NamedTuple):
    """A fault: its name, its node, whether that was the owner, and its times by CLOCK_MONOTONIC."""

    name: str
    node: str
    owned: bool
    start: float
    end: float


class RecordedNode:
    """A node whose recorder tells the host each change of its addresses; one boot after another."""

    def __init__(self, node: StorageNode) -> None:
        """Begin to record."""
        self.node = node
        self._past: list[tuple[float, float]] = []
        self._recorder: Running | None = None
        self.begin()

    def begin(self) -> None:
        """Start the recorder, and compare its clock with that of the host."""
        machine = self.node.machine
        machine.put(_RECORDER, Path(address_recorder.__file__).read_text())
        self._recorder = machine.spawn(f"exec chrt -f 50 python3 {_RECORDER} follow")
        self._offset = _offset(self._recorder)

    def intervals(self, address: str) -> list[tuple[float, float]]:
        """Return when the kernel had an address, by the clock of the host, until now."""
        if self._recorder is None:
            return self._past
        lines = self._recorder.output().splitlines(keepends=True)
        whole = (line for line in reversed(lines) if line.endswith("\n") and "intervals" in line)
        found: list[list[float | None]] = json.loads(next(whole))["intervals"].get(address, [])
        now = time.monotonic()
        own = [
            ((first or 0.0) + self._offset, now if last is None else last + self._offset)
            for first, last in found
        ]
        return self._past + own

    def power_cut(self, address: str) -> None:
        """Switch the machine off: its addresses end with it."""
        self.node.machine.kill()
        self._past, self._recorder = self.intervals(address), None


def _offset(recorder: Running) -> float:
    """Return the host's clock less that of a recorder: the least of many, as each line comes late."""
    found: list[float] = []
    seen, until = 0, time.monotonic() + 3.0
    while time.monotonic() < until or not found:
        lines = recorder.output().splitlines(keepends=True)
        arrival = time.monotonic()
        if len(lines) > seen and lines[-1].endswith("\n"):
            seen = len(lines)
            found.append(arrival - json.loads(lines[-1])["now"])
        time.sleep(0.001)
    return min(found)


class Field:
    """Two nodes with a floating group and a host with one path. `make` begins a fault and returns its end."""

    def __init__(self, cluster: Cluster, dice: Random) -> None:
        """Let the host log in to the floating address."""
        self.cluster, self.dice = cluster, dice
        self.address = cluster.floating_address
        for node in cluster.nodes:
            node.machine.run(_DEVICES)
        self.recorded = {node.name: RecordedNode(node) for node in cluster.nodes}
        cluster.ctl.apply(self.cluster.filled(_MAP))
        wait_until("a node has the address", self.owner)
        cluster.initiator.discover(self.address)
        cluster.initiator.login(SAN)
        self.device = self._device(DB1)
        self.other = self._device("360014053f1d6c1e00044f0b9f3e7a51c")
        self.kinds: Mapping[str, Callable[[StorageNode, float], Callable[[], object]]] = {
            "power cut": self._power_cut,
            "all processes stopped": self._stopped,
            "daemon killed": self._killed,
            "clock forward": lambda node, _: self._stepped(node, "+"),
            "clock back": lambda node, _: self._stepped(node, "-"),
            "overloaded": self._overloaded,
            "device hangs": self._device_hangs,
            "cut from all": self._cut,
            "cut from the host": self._cut_from_host,
            "moved": lambda node, _: self._moved(node),
        }

    def _device(self, wwid: str) -> str:
        maps = self.cluster.initiator.wait_multipaths(
            lambda found: any(each.wwid == wwid and each.usable_paths for each in found)
        )
        return next(each.device for each in maps if each.wwid == wwid)

    def overlaps(self) -> list[Overlap]:
        """Return each time at which both nodes had the address."""
        own = {name: node.intervals(self.address) for name, node in self.recorded.items()}
        return [each for each in find_overlaps(own) if each.end - each.start > _ACCURACY]

    def gap(self, start: float) -> float:
        """Return the longest time since `start` in which no node had the address."""
        own = {name: node.intervals(self.address) for name, node in self.recorded.items()}
        return longest_gap(own, start, time.monotonic())

    def owner(self) -> str:
        """Return the node that has the address now, "" for none."""
        now = time.monotonic()
        has = (name for name, node in self.recorded.items() if _lasts(node.intervals(self.address), now))
        return next(has, "")

    def move(self) -> float:
        """Move the group to the other node; return the longest pause of I/O."""
        io = self.cluster.initiator.verified_io(self.device, offset=_OFFSET)
        io.goes_on(20)
        (to,) = (node.name for node in self.cluster.nodes if node.name != self.owner())
        self.cluster.ctl("float", "move", SAN, "gold", to)
        wait_until("the other node has the address", lambda: self.owner() == to)
        io.goes_on(20)
        final = io.stop()
        _check(final)
        return final.pause

    def _power_cut(self, node: StorageNode, _: float) -> Callable[[], object]:
        recorded = self.recorded[node.name]
        recorded.power_cut(self.address)

        def heal() -> None:
            node.machine.start()
            node.configure(self.cluster.ensemble.hosts)
            node.machine.run(_DEVICES)
            recorded.begin()
            node.start()

        return heal

    def _stopped(self, node: StorageNode, _: float) -> Callable[[], object]:
        node.machine.run(_TREE.format(PID=PID, signal="STOP"))
        return lambda: node.machine.run(_TREE.format(PID=PID, signal="CONT"), check=False)

    def _killed(self, node: StorageNode, _: float) -> Callable[[], object]:
        node.stop("KILL")
        return node.start

    def _stepped(self, node: StorageNode, sign: str) -> Callable[[], object]:
        node.machine.run(f"date -s @$(($(date +%s) {sign} {self.dice.choice((5, 3600, 10**7))}))")
        # A node with a wrong clock is not well: its status looks old.
        return lambda: node.machine.run(f"date -s @{time.time():.3f}")

    def _overloaded(self, node: StorageNode, seconds: float) -> Callable[[], object]:
        burning = node.machine.spawn(_BURN.format(seconds=seconds, share=0.6))
        return burning.popen.wait

    def _device_hangs(self, node: StorageNode, seconds: float) -> Callable[[], object]:
        """Let a command of the host wait in the owner's device, so that no TPG can be disabled."""
        node.machine.run("dmsetup suspend --noflush --nolockfs slow-db2")
        self.cluster.initiator.machine.spawn(
            f"timeout {seconds + 60:g} dd if={self.other} of=/dev/null bs=4k count=1 iflag=direct"
        )
        self._moved(node)
        return lambda: node.machine.run("dmsetup resume slow-db2")

    def _cut(self, node: StorageNode, _: float) -> Callable[[], object]:
        node.machine.cut()
        return node.machine.heal

    def _cut_from_host(self, node: StorageNode, _: float) -> Callable[[], object]:
        host = self.cluster.initiator.machine.address
        node.machine.run(f"ip route add unreachable {host}/32")
        return lambda: node.machine.run(f"ip route del unreachable {host}/32")

    def _moved(self, node: StorageNode) -> Callable[[], object]:
        to = next(each.name for each in self.cluster.nodes if each is not node)
        self.cluster.ctl("float", "move", SAN, "gold", to, "--wait", "0", expect=None)
        return lambda: None


def _lasts(intervals: list[tuple[float, float]], now: float) -> bool:
    return bool(intervals) and intervals[-1][1] >= now


def _check(final: Progress) -> None:
    assert (final.errors, final.mismatches) == (0, 0), final


def run_moves(field: Field, count: int, end: float) -> None:
    """Make planned moves, and print their pauses."""
    pauses: list[float] = []
    while len(pauses) < count and time.monotonic() < end:
        pauses.append(field.move())
        assert not field.overlaps(), field.overlaps()
        if len(pauses) % 20 == 0:
            print(f"{len(pauses)} moves: {_pauses(pauses)}", flush=True)
    print(f"moves      {len(pauses)}: {_pauses(pauses)}; 0 errors, 0 mismatches", flush=True)


def _pauses(pauses: list[float]) -> str:
    return f"median {median(pauses):.2f} s, longest {max(pauses):.2f} s" if pauses else "none"


def run_faults(field: Field, count: int, end: float) -> list[Fault]:
    """Make faults one after the other, mostly of the owner; let the I/O go on after each."""
    dice, made = field.dice, list[Fault]()
    io = field.cluster.initiator.verified_io(field.device, offset=_OFFSET)
    while len(made) < count and time.monotonic() < end:
        kind, lasts = dice.choice(list(field.kinds)), dice.choice(_LASTS)
        wait_until("a node has the address", field.owner)
        owner = field.owner()
        hits_owner = dice.random() < 0.8
        node = next(each for each in field.cluster.nodes if (each.name == owner) == hits_owner)
        start = time.monotonic()
        heal = field.kinds[kind](node, lasts)
        time.sleep(lasts)
        heal()
        made.append(Fault(kind, node.name, node.name == owner, start, time.monotonic()))
        io.goes_on(20)
        wait_until("both nodes are well", field.cluster.all_well)
        print(f"{node.name}: {kind}, {lasts:g} s; without the address {field.gap(start):.1f} s", flush=True)
        assert not field.overlaps(), field.overlaps()
    _check(io.stop())
    return made


def main() -> int:
    """Run the campaign; returns the exit code."""
    parser = argparse.ArgumentParser(prog="chaos.floating_machines", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="(default %(default)s)")
    parser.add_argument("--moves", type=int, default=200, help="planned moves (default %(default)s)")
    parser.add_argument("--faults", type=int, default=100, help="faults to make (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after them (default %(default)s)")
    chosen = parser.parse_args()
    end = time.monotonic() + 60 * chosen.minutes
    with Lab(artifacts=LOGS) as lab:
        field = Field(bring_up(lab, nodes=2), Random(chosen.seed))
        run_moves(field, chosen.moves, end - 30 * chosen.minutes * bool(chosen.faults))
        made = run_faults(field, chosen.faults, end)
    counted = Counter(f"{each.name} of {'the owner' if each.owned else 'the other'}" for each in made)
    print(f"faults     {len(made)}: " + ", ".join(f"{n} {name}" for name, n in counted.most_common()))
    print("overlaps   none", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
