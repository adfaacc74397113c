"""Floating addresses under random faults of nodes and servers: no address is ever on two nodes.

`make chaos-floating` runs it. The nodes are processes in network namespaces with real addresses and a real
ensemble; a recorder in each namespace writes when the kernel has which address, all by one clock.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from chaos import floating_node
from lab import Ensemble, Lab
from lab.network import Place
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap, Node, Target
from lunmapd.core.floating.documents import Wish
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.own_group import write_wish
from lunmapd.store.upkeep.init import initialise
from support import address_recorder
from support.commits import put
from support.intervals import Intervals, Overlap, find_overlaps, longest_gap

T = "iqn.2026-01.org.example:pool"
NAMES = ("n1", "n2", "n3")
GROUPS = ("gold", "iron", "zinc")
SEED = 20260101
FAULTS = 300
_FIRST_PLACE = 150
_FIRST_ADDRESS = 170
_LASTS = (0.5, 2.0, 6.0, 9.0, 12.0)
_SETTLE = 30.0


class Fault(NamedTuple):
    """A fault that was made: its name, its node, and its times by CLOCK_MONOTONIC."""

    name: str
    node: str
    start: float
    end: float


class Result(NamedTuple):
    """What was recorded: the intervals of each address, the faults, and the start and end of the record."""

    addresses: Mapping[str, Intervals]
    faults: Sequence[Fault]
    start: float
    end: float

    def overlaps(self) -> list[tuple[str, Overlap]]:
        """Return each time at which an address was on two nodes."""
        return [(address, each) for address, own in self.addresses.items() for each in find_overlaps(own)]

    def takes(self) -> int:
        """Return how often a node got an address."""
        return sum(len(spans) for own in self.addresses.values() for spans in own.values())


class FloatingNode:
    """A node: its namespace in the lab, its recorder, and the processes that can be stopped and killed."""

    def __init__(self, lab: Lab, name: str, number: int, command: Sequence[str]) -> None:
        """Plug the node into the lab's network, and start its processes."""
        self.name, self.place = name, lab.network.place(number)
        self._lab = lab
        lab.network.add_namespace(self.place, name)
        self._enter = ["nsenter", f"--net=/proc/{lab.sandbox.pid}/root/run/netns/{name}", "--"]
        self._command = command
        self._log = (lab.state / f"{name}.log").open("ab")
        recorder = [*self._enter, sys.executable, address_recorder.__file__]
        self._recorder = subprocess.Popen(recorder, stdout=subprocess.PIPE, text=True)
        assert self._recorder.stdout is not None, "it is a pipe"
        assert self._recorder.stdout.readline() == "ready\n"
        self.start()

    def start(self) -> None:
        """Start the daemon."""
        self._daemon = subprocess.Popen([*self._enter, *self._command], stderr=self._log)

    def kill(self) -> None:
        """Kill the daemon."""
        self._daemon.kill()
        self._daemon.wait()

    def signal(self, number: int, *, daemon: bool = True, lease: bool = True) -> None:
        """Send a signal to the daemon, to its lease process, or to both."""
        pids = [self._daemon.pid] * daemon + _children(self._daemon.pid) * lease
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def cut(self) -> None:
        """Pull the network cable."""
        self._lab.network.cut(self.place)

    def heal(self) -> None:
        """Plug it in again."""
        self._lab.network.heal(self.place)

    def ip(self, line: str) -> None:
        """Run ip in the node's namespace."""
        subprocess.run([*self._enter, "ip", *line.split()], check=True)

    def close(self) -> None:
        """End all processes."""
        self.kill()
        self._recorder.kill()
        self._recorder.wait()
        self._log.close()

    def recorded(self) -> Mapping[str, list[list[float | None]]]:
        """End the recorder, and return the intervals of each address."""
        self._recorder.send_signal(signal.SIGTERM)
        found, _ = self._recorder.communicate()
        intervals: Mapping[str, list[list[float | None]]] = json.loads(found)
        return intervals


Heal = Callable[[], None]


class Field:
    """Nodes with floating groups on an ensemble. `make` begins a fault, and returns what ends it."""

    def __init__(
        self, nodes: Mapping[str, FloatingNode], ensemble: Ensemble, session: Session, dice: Random
    ) -> None:
        self.nodes, self.ensemble, self.session, self.dice = nodes, ensemble, session, dice
        self.kinds: Mapping[str, Callable[[FloatingNode], Heal]] = {
            "all processes stopped": self._stopped,
            "daemon stopped": lambda node: self._stopped(node, lease=False),
            "lease process stopped": lambda node: self._stopped(node, daemon=False),
            "daemon killed": self._killed,
            "lease process killed": self._lease_killed,
            "cut from all": self._cut,
            "cut from ZooKeeper": self._cut_from_servers,
            "starved": self._starved,
            "link down": self._link_down,
            "server killed": self._server_killed,
            "moved": self._moved,
        }

    def _stopped(self, node: FloatingNode, *, daemon: bool = True, lease: bool = True) -> Heal:
        node.signal(signal.SIGSTOP, daemon=daemon, lease=lease)
        return lambda: node.signal(signal.SIGCONT)

    def _killed(self, node: FloatingNode) -> Heal:
        node.kill()
        return node.start

    def _lease_killed(self, node: FloatingNode) -> Heal:
        node.signal(signal.SIGKILL, daemon=False)
        return lambda: None

    def _cut(self, node: FloatingNode) -> Heal:
        node.cut()
        return node.heal

    def _cut_from_servers(self, node: FloatingNode) -> Heal:
        for server in self.ensemble.servers:
            server.ignore(node.place)

        def heal() -> None:
            for server in self.ensemble.servers:
                server.heed(node.place)

        return heal

    def _starved(self, node: FloatingNode) -> Heal:
        """Let the node run a tenth of the time."""
        slices = subprocess.Popen([sys.executable, "-c", _SLICES, *map(str, node_pids(node))])

        def heal() -> None:
            slices.terminate()
            slices.wait()
            node.signal(signal.SIGCONT)

        return heal

    def _link_down(self, node: FloatingNode) -> Heal:
        node.ip("link set data0 down")

        def heal() -> None:
            node.ip("link set data0 up")
            node.ip(f"addr replace {node.place.address6}/64 dev data0 nodad")

        return heal

    def _server_killed(self, _: FloatingNode) -> Heal:
        victim = self.dice.choice(self.ensemble.servers)
        victim.kill()
        return victim.start

    def _moved(self, node: FloatingNode) -> Heal:
        for name in GROUPS:
            with suppress(StoreError):
                write_wish(self.session, GroupId(T, name), Wish(node.name))
        return lambda: None

    def make(self, kind: str, node: FloatingNode) -> Heal:
        """Begin a fault."""
        return self.kinds[kind](node)


_SLICES = """
import os, signal, sys, time
pids = [int(each) for each in sys.argv[1:]]
def send(number):
    for pid in pids:
        try: os.kill(pid, number)
        except ProcessLookupError: pass
while True:
    send(signal.SIGSTOP); time.sleep(0.45); send(signal.SIGCONT); time.sleep(0.05)
"""


def node_pids(node: FloatingNode) -> list[int]:
    """Return the processes of a node: the daemon, and its lease process."""
    daemon = node._daemon.pid
    return [daemon, *_children(daemon)]


def _children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def cluster_map(subnet: Callable[[int], tuple[str, str]], places: Sequence[Place]) -> Lunmap:
    """Return the map: each group has an address of IPv4 and one of IPv6, and each node may own all."""
    groups = {}
    for number, name in enumerate(GROUPS):
        four, six = subnet(_FIRST_ADDRESS + number)
        order = NAMES[number:] + NAMES[:number]
        groups[name] = FloatingGroup(
            1001 + number, (f"{four}:3260", f"[{six}]:3260"), order, 101 + number, failback_after=5, grace=0
        )
    nodes = {
        name: Node(number, (f"{place.address}:3260",))
        for number, (name, place) in enumerate(zip(NAMES, places, strict=True), 1)
    }
    return Lunmap({}, {T: Target({}, floating=groups)}, nodes=nodes)


@contextmanager
def field(lab: Lab, ensemble: Ensemble, dice: Random) -> Iterator[Field]:
    """Yield nodes that serve their groups."""
    root = f"/{uuid.uuid4().hex}/lunmap"
    places = [lab.network.place(_FIRST_PLACE + number) for number in range(len(NAMES))]

    def address(number: int) -> tuple[str, str]:
        return str(lab.network.subnet[number]), str(lab.network.subnet6[number])

    with ExitStack() as stack:
        session = stack.enter_context(Session(ensemble.hosts, root))
        initialise(session)
        put(session, cluster_map(address, places))
        locks = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes = {}
        for number, name in enumerate(NAMES):
            module = [sys.executable, "-m", floating_node.__name__, ensemble.hosts, root, name]
            nodes[name] = FloatingNode(lab, name, _FIRST_PLACE + number, [*module, str(locks / name)])
            stack.callback(nodes[name].close)
        yield Field(nodes, ensemble, session, dice)


def run_faults(
    made: Field, seconds: float, limit: int, tell: Callable[[Fault], object] = lambda _: None
) -> Result:
    """Make random faults, one at a time on each node and one of the servers, then let all recover."""
    dice, start = made.dice, time.monotonic()
    faults: list[Fault] = []
    present: dict[str, tuple[float, str, float, Heal]] = {}
    while (now := time.monotonic()) < start + seconds or present:
        for victim, (until, kind, since, heal) in list(present.items()):
            if now >= until:
                heal()
                faults.append(Fault(kind, victim, since, time.monotonic()))
                tell(faults[-1])
                del present[victim]
        if now < start + seconds and len(faults) + len(present) < limit:
            _begin(made, dice, present)
        elif not present:
            break
        time.sleep(dice.uniform(0.1, 1.0))
    return _settled(made, faults, start)


def _begin(made: Field, dice: Random, present: dict[str, tuple[float, str, float, Heal]]) -> None:
    kind = dice.choice(list(made.kinds))
    victim = "servers" if kind == "server killed" else dice.choice(NAMES)
    if victim in present or len(present) == len(NAMES) - 1:
        return
    since = time.monotonic()
    heal = made.make(kind, made.nodes[dice.choice(NAMES) if victim == "servers" else victim])
    present[victim] = (since + dice.choice(_LASTS), kind, since, heal)


def _settled(made: Field, faults: Sequence[Fault], start: float) -> Result:
    """Wait until each node had the time to recover, and return the record."""
    time.sleep(_SETTLE / 2)
    end = time.monotonic()
    addresses: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name, node in made.nodes.items():
        for address, spans in node.recorded().items():
            if address not in {node.place.address, node.place.address6}:
                closed = [(first or 0.0, last if last is not None else end) for first, last in spans]
                addresses.setdefault(address, {})[name] = closed
    floating = {address: own for address, own in addresses.items() if not address.startswith("fe80")}
    return Result(floating, faults, start, end)


def await_service(result: Result) -> list[str]:
    """Return the addresses that no node has at the end."""
    return [
        address
        for address, own in result.addresses.items()
        if longest_gap(own, result.end - 1, result.end) > 0.5
    ]


def main() -> int:
    """Run the campaign; returns the exit code."""
    parser = argparse.ArgumentParser(prog="chaos.floating", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="(default %(default)s)")
    parser.add_argument("--faults", type=int, default=FAULTS, help="faults to make (default %(default)s)")
    chosen = parser.parse_args()
    began = time.monotonic()
    print(f"seed {chosen.seed}, {chosen.faults} faults", flush=True)

    def tell(fault: Fault) -> None:
        print(
            f"[{time.monotonic() - began:6.1f} s] {fault.node}: {fault.name}, {fault.end - fault.start:.1f} s",
            flush=True,
        )

    with Lab(tree=None) as lab, field(lab, lab.ensemble(3), Random(chosen.seed)) as made:
        result = run_faults(made, 86400, chosen.faults, tell)
    counted = Counter(fault.name for fault in result.faults)
    overlaps, without = result.overlaps(), await_service(result)
    print(
        f"faults     {len(result.faults)}: " + ", ".join(f"{n} {name}" for name, n in counted.most_common())
    )
    print(
        f"takes      {result.takes()} of {len(result.addresses)} addresses in {result.end - result.start:.0f} s"
    )
    print(f"overlaps   {len(overlaps)}" + "".join(f"\n    {address}: {each}" for address, each in overlaps))
    print(f"unserved   {', '.join(without) or 'none'}", flush=True)
    return 1 if overlaps or without else 0


if __name__ == "__main__":
    sys.exit(main())
