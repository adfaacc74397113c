"""Two storage nodes and an initiator on real kernels, without the daemon: LIO in the lab."""

import pytest

from lab import Initiator, Lab, Machine, Map, wait_for
from system.without_daemon.export import export

pytestmark = pytest.mark.kernel


def _both_paths(maps: list[Map]) -> bool:
    return len(maps) == 1 and len(maps[0].usable_paths) == 2


def _logged_in(lab: Lab) -> tuple[Machine, Machine, Initiator]:
    volume = lab.disk("volume")
    a, b = (lab.machine(name, disks=[volume], start=False) for name in ("a", "b"))
    initiator = lab.initiator("client", start=False)
    lab.start(a, b, initiator)
    for tag, node in enumerate((a, b), start=1):
        export(node, tag, initiator)
        initiator.discover(node.address)
    initiator.login()
    return a, b, initiator


def test_io_survives_the_death_of_a_node(lab: Lab) -> None:
    """One volume through two nodes is one map with two paths; no I/O is lost when a node dies and returns."""
    a, b, initiator = _logged_in(lab)
    device = initiator.wait_multipaths(_both_paths)[0].device
    assert initiator.write_pattern(device, 7, 0, 1 << 20).errors == 0
    io = initiator.verified_io(device, offset=1 << 20)
    wait_for("I/O before the death", lambda: io.progress.operations, lambda n: n > 100)
    a.kill()
    initiator.wait_multipaths(lambda maps: [p.address for p in maps[0].usable_paths] == [b.address])
    then = io.progress.operations
    wait_for("I/O after the death", lambda: io.progress.operations, lambda n: n > then + 100)
    a.start()
    export(a, 1, initiator)
    initiator.wait_multipaths(_both_paths)
    final = io.stop()
    assert (final.errors, final.mismatches) == (0, 0)
    assert initiator.verify_pattern(device, 7, 0, 1 << 20).mismatches == 0
    assert initiator.verify_pattern(device, 8, 0, 1 << 20).mismatches == 256
