"""A cluster in the lab: storage nodes that run lunmapd, and lunmapctl on the host."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lab.wait import PATIENCE, wait_until
from lunmapd.core.map.mapfile import parse_map
from support.preloaded import call_lunmapctl, run_lunmapctl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab import Ensemble, Initiator, Lab, Machine, Map

LOG = "/var/log/lunmapd.log"
PID = "/run/lunmapd.pid"
SETTINGS = "/etc/lunmapd/lunmapd.yaml"
SESSION_TIMEOUT = 8.0
"""Seconds, of every node: a machine that gets no processor for half of them has not lost its session yet."""
METRICS = 9810
EXAMPLE = Path(__file__).parents[2] / "config/lunmap.yaml"
SAN = "iqn.2026-01.org.example:san"
SCRATCH = "iqn.2026-01.org.example:scratch"
HOST = "iqn.2026-01.org.example:host1"
DB1 = "360014053f1d6c1e00014f0b9f3e7a51c"
DISKS = ("db1", "db2", "logs")
_ENDED = "while [ -d /proc/$pid ]; do sleep 0.05; done"
# As a volume group's, and as they would be after any boot.
_BACKINGS = "mkdir -p /dev/vg0; cd /dev/disk/lab; for d in *; do ln -sf $PWD/$d /dev/vg0/$d; done; truncate -s 64M /srv/scratch.img"


@dataclass(frozen=True)
class Answer:
    """The exit status and output of lunmapctl."""

    status: int
    out: str
    err: str


class CtlError(Exception):
    """lunmapctl ended with another exit status than was expected."""


@dataclass(frozen=True)
class Ctl:
    """lunmapctl on the host, for one ensemble and chroot; `options` go before the verb."""

    hosts: str | None
    chroot: str | None = "/lunmap"
    options: tuple[str, ...] = ()

    def __call__(self, *args: str, stdin: str | None = None, expect: int | None = 0) -> Answer:
        """Run it. Raises CtlError when it ends with another status than `expect` (None: any)."""
        answer = Answer(*run_lunmapctl(self._with_options(args), stdin, 2 * PATIENCE))
        if expect is not None and answer.status != expect:
            raise CtlError(
                f"{' '.join(args)} ended with {answer.status}, not {expect}:\n{answer.out}{answer.err}"
            )
        return answer

    def write_to(self, out: IO[bytes], *args: str, stdin: str | None = None) -> Answer:
        """Run it with this standard output; the answer has none."""
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile() as err:
            given.write(stdin or "")
            given.seek(0)
            status = call_lunmapctl(self._with_options(args), (given, out, err), 2 * PATIENCE)
            err.seek(0)
            return Answer(status, "", err.read().decode())

    def _with_options(self, args: Iterable[str]) -> list[str]:
        return [*_option("--hosts", self.hosts), *_option("--chroot", self.chroot), *self.options, *args]

    def apply(
        self,
        text: str,
        *,
        wait: float | None = PATIENCE,
        expect: int | None = 0,
        rebacking: Iterable[str] = (),
        reuse: Iterable[str] = (),
    ) -> Answer:
        """Replace the map, whomever it disturbs, and wait until every live node has it.

        The Luns of `rebacking` may get other paths, those of `reuse` LUN numbers that led to another Lun.
        """
        options = ["--yes"] if wait is None else ["--yes", "--wait", str(wait)]
        options += [f"--rebacking={name}" for name in rebacking]
        options += [f"--reuse-lun={name}" for name in reuse]
        return self("apply", "-f", "-", "--replace", *options, stdin=text, expect=expect)

    def plan(self, text: str) -> dict[str, Any]:
        """Return `plan -o json` of a map, each node by its name."""
        found: dict[str, Any] = json.loads(self("plan", "-f", "-", "-o", "json", stdin=text, expect=None).out)
        return found | {"nodes": {node["node"]: node for node in found["nodes"]}}

    def status(self) -> dict[str, Any]:
        """Return `status -o json`, each node by its name."""
        found: dict[str, Any] = json.loads(self("status", "-o", "json", expect=None).out)
        return found | {"nodes": {node["node"]: node for node in found["nodes"]}}


def _option(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]


@dataclass(frozen=True)
class StorageNode:
    """A machine that runs lunmapd, started without a service manager."""

    machine: Machine

    @property
    def name(self) -> str:
        """The node's name, which is the machine's."""
        return self.machine.name

    def configure(self, hosts: str, more: str = "") -> None:
        """Write the settings with `more` lines, a machine id, and the backings of the example map."""
        identity = hashlib.md5(self.name.encode(), usedforsecurity=False).hexdigest()
        self.machine.put("/etc/machine-id", identity + "\n")
        self.machine.put(SETTINGS, settings(self.name, hosts) + more)
        self.machine.run(_BACKINGS)

    def start(self) -> None:
        """Start the daemon in the background."""
        self.machine.run(f"setsid lunmapd >>{LOG} 2>&1 </dev/null & echo $! >{PID}")

    def stop(self, signal: str = "TERM") -> None:
        """Send a signal to the daemon, and wait until it and its worker have ended."""
        self.machine.run(f"pid=$(cat {PID}); kill -{signal} $pid; {_ENDED}", timeout=PATIENCE)

    def restore(self, hosts: str, more: str = "") -> None:
        """Let the machine and its daemon run with the settings of `configure`, in whatever state they are."""
        if not self.machine.running():
            self.machine.start()
        told = self.machine.run(f"kill -CONT $(cat {PID}) && cat {SETTINGS}", check=False)
        if told.status != 0 or told.stdout != settings(self.name, hosts) + more:
            self.machine.run(
                f"pid=$(cat {PID}) && kill -KILL $pid && {_ENDED}", check=False, timeout=PATIENCE
            )
            self.configure(hosts, more)
            self.start()

    def once(self) -> int:
        """Make one pass and return the exit status."""
        return self.machine.run("lunmapd --once", check=False, timeout=PATIENCE).status

    def log(self) -> str:
        """Return the daemon's log since the machine started."""
        return self.machine.get(LOG).decode()

    def has_sessions(self) -> bool:
        """Return whether its kernel has any session, even one that is ending."""
        told = "cat /sys/kernel/config/target/iscsi/iqn*/tpgt_*/acls/*/info 2>/dev/null || true"
        return "InitiatorName" in self.machine.run(told).stdout

    def lio(self) -> str:
        """Return LIO's objects and links in configfs, one a line, without statistics."""
        return self.machine.run(
            "cd /sys/kernel/config/target && find core iscsi -mindepth 1 \\( -type d -o -type l \\) "
            "-not -path '*/statistics*' -not -path '*/fabric_statistics*' -printf '%p %l\\n' | sort"
        ).stdout


@dataclass(frozen=True)
class Cluster:
    """Storage nodes n1, n2, ... with lunmapd, an ensemble, and an initiator that the example map knows."""

    lab: Lab
    ensemble: Ensemble
    nodes: tuple[StorageNode, ...]
    initiator: Initiator
    ctl: Ctl

    def example(self) -> str:
        """Return the example map with the addresses of these machines."""
        text = EXAMPLE.read_text()
        for number, node in enumerate(self.nodes, 1):
            text = text.replace(f"10.0.1.{number}]", f"{node.machine.address}]")
        return text

    def for_two(self) -> str:
        """Return the example map for two nodes."""
        text = self.example().replace("nodes: [n1, n2, n3]", "nodes: [n1, n2]")
        return "\n".join(line for line in text.splitlines() if not line.startswith("  n3:")) + "\n"

    @property
    def floating_address(self) -> str:
        """An address of the machines' network that none of them has."""
        network, _, _ = self.nodes[0].machine.address.rpartition(".")
        return f"{network}.240"

    def filled(self, text: str) -> str:
        """Return a map with addresses in place of ADDRESS1, ADDRESS2 ... of the nodes, and of FLOATING."""
        text = text.replace("FLOATING", self.floating_address)
        for number, node in enumerate(self.nodes, 1):
            text = text.replace(f"ADDRESS{number}", node.machine.address)
        return text

    def owners(self) -> list[StorageNode]:
        """Return the nodes whose kernel has the floating address."""
        command = f"ip -o address show | grep -c ' {re.escape(self.floating_address)}/' || true"
        alive = [node for node in self.nodes if node.machine.running()]
        return [node for node in alive if node.machine.run(command).stdout.strip() != "0"]

    def paths(self, wwid: str, *nodes: StorageNode) -> Map:
        """Wait until the initiator has a usable path through exactly these nodes, and return its map.

        Without nodes it is all of them. The number of paths alone is not enough: for some seconds a dead
        node's path is still usable, and a new one's not yet.
        """
        wanted = sorted(node.machine.address for node in nodes or self.nodes)

        def fit(maps: list[Map]) -> list[Map]:
            return [found for found in maps if found.wwid == wwid and _addresses(found) == wanted]

        return fit(self.initiator.wait_multipaths(lambda maps: bool(fit(maps)), PATIENCE))[0]

    def all_well(self) -> bool:
        """Return whether `lunmapctl status` shows every node alive and converged, without a problem."""
        return self.ctl("status", expect=None).status == 0

    def restore(self, text: str, more: str = "") -> None:
        """Restore the start of a test: all run with `more` settings, and the map is applied."""
        self.ensemble.start()
        for node in self.nodes:
            node.restore(self.ensemble.hosts, more)
        luns = parse_map(text)[0].luns
        self.ctl.apply(text, wait=None, rebacking=luns, reuse=luns)
        wait_until("all is as the map says", self.all_well)
        self.initiator.end_io()

    def await_live(self) -> None:
        """Wait until every node has registered: `apply --wait` waits for those that live alone."""

        def live() -> bool:
            told = self.ctl.status()["nodes"]
            return all(node.name in told and told[node.name]["alive"] for node in self.nodes)

        wait_until("all nodes have registered", live)

    def login(self, *, scratch: bool = False) -> None:
        """Let the initiator find every node's portal and log in."""
        for node in self.nodes:
            self.initiator.discover(node.machine.address)
        self.initiator.login(SAN)
        if scratch:
            self.initiator.login(SCRATCH)

    def log_out(self) -> None:
        """Let the initiator forget everything, and wait until the nodes' kernels have closed its sessions.

        LIO does so a little later, and may wait for ever for one of them when its TPG is disabled just then.
        """
        forget = "multipath -F; iscsiadm -m node -u; iscsiadm -m node -o delete; rm -rf /var/lib/iscsi/ifaces"
        self.initiator.machine.run(forget, check=False)
        alive = [node for node in self.nodes if node.machine.running()]
        wait_until("the sessions are closed", lambda: not any(node.has_sessions() for node in alive))


def _addresses(found: Map) -> list[str]:
    return sorted(path.address for path in found.usable_paths)


def bring_up(
    lab: Lab, *, servers: int = 1, nodes: int = 3, persistent: bool = False, memory: str = "256M"
) -> Cluster:
    """Start everything at the same time, with an empty map and a daemon on each node that has registered.

    The disks of `persistent` nodes survive a pulled plug. `memory` is that of each node.
    """
    disks = [lab.disk(name) for name in DISKS]
    ensemble = lab.ensemble(servers, start=False)
    machines = [
        lab.machine(f"n{number}", disks=disks, persistent=persistent, memory=memory, start=False)
        for number in range(1, nodes + 1)
    ]
    initiator = lab.initiator("host1", HOST, start=False)
    lab.start(ensemble, initiator, *machines)
    found = Cluster(lab, ensemble, tuple(map(StorageNode, machines)), initiator, Ctl(ensemble.hosts))
    found.ctl("init")
    for node in found.nodes:
        node.configure(ensemble.hosts)
        node.start()
    found.await_live()
    return found


def settings(node: str, hosts: str) -> str:
    """Make the settings file of a node, with times that suit a test."""
    servers = "".join(f"\n    - {host}" for host in hosts.split(","))
    return (
        f"node: {node}\nresync: 10\nretry: 1\nmetrics: {{listen: 127.0.0.1:{METRICS}}}\nzookeeper:\n  hosts:{servers}\n"
        f"  session_timeout: {SESSION_TIMEOUT:g}\n  deadline: 5\n"
    )
