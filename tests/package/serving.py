"""A storage node with the package under a real systemd, and an initiator that notices every disturbance."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab import Ensemble, Initiator, Machine, Map, wait_for
from lab.wait import PATIENCE, wait_until
from support.cluster import DB1, EXAMPLE, Ctl, StorageNode


@dataclass(frozen=True)
class Site:
    """A storage node with systemd, its ensemble, and an initiator."""

    node: StorageNode
    ensemble: Ensemble
    initiator: Initiator
    ctl: Ctl

    @property
    def machine(self) -> Machine:
        """The storage node's machine."""
        return self.node.machine

    def map(self) -> str:
        """Return the example map for the one node."""
        text = EXAMPLE.read_text().replace("[n1, n2, n3]", "[n1]")
        text = text.replace("10.0.1.1]", f"{self.machine.address}]")
        return "".join(
            line for line in text.splitlines(keepends=True) if not line.startswith(("  n2:", "  n3:"))
        )

    def show(self, name: str) -> str:
        """Return a property of the service."""
        return self.machine.run(f"systemctl show lunmapd --value -p {name}").stdout.strip()

    def ctl_on_node(self, command: str, *, check: bool = True) -> int:
        """Run systemctl or dpkg on the node."""
        return self.machine.run(command, timeout=2 * PATIENCE, check=check).status

    def journal(self, *options: str) -> str:
        """Return the service's log since the machine's boot, to the last line."""
        self.machine.run("journalctl --sync")
        return self.machine.run(["journalctl", "-b", "-u", "lunmapd", *options]).stdout


def converged(site: Site) -> None:
    """Wait until the node has applied the newest map without failures."""
    text = f"applied revision {site.ctl.status()['revision']}, 0 failing"
    wait_until("the node has applied the map", lambda: site.show("StatusText") == text)


def _volume(site: Site) -> list[Map]:
    """Return the initiator's map of the LUN db1, if it can be used."""
    return [found for found in site.initiator.multipaths() if found.wwid == DB1 and found.usable_paths]


@contextmanager
def undisturbed(site: Site) -> Iterator[None]:
    """Keep verified I/O going on a LUN: it must see no error, and LIO must be the same afterwards."""
    before = site.node.lio()
    device = wait_for("the multipath map of db1", lambda: _volume(site), bool)[0].device
    site.initiator.machine.run(f"until [ -b {device} ]; do sleep 0.1; done")
    io = site.initiator.verified_io(device)
    wait_for("I/O before", lambda: (io.progress.operations, io.command.errors()), lambda seen: seen[0] > 50)
    sessions = site.initiator.sessions()
    yield
    then = io.progress.operations
    wait_for("I/O after", lambda: io.progress.operations, lambda n: n > then + 50)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert site.initiator.sessions() == sessions
    assert site.node.lio() == before
