"""Which objects are left alone while a step hangs."""

import sys
import time
from collections.abc import Iterator

import pytest

from lunmapd.core.node import lio_objects
from lunmapd.lio.base.observation import StuckDirectory
from lunmapd.lio.worker.process import WorkerProcess
from lunmapd.lio.worker.quarantine import Quarantine, StuckStep

IQN = "iqn.2020-01.org.example:disks"
ACL = lio_objects.NodeAcl(IQN, 1, "host")
TPG = lio_objects.Tpg(IQN, 1)
MAP = lio_objects.MappedLun(IQN, 1, "other", 0, "a", write_protect=False)
LUN = lio_objects.TpgLun(IQN, 1, "a")
DISK = lio_objects.StorageObject("a", "fileio", "/a", 1, "1")
ELSEWHERE = lio_objects.NodeAcl(IQN, 2, "host")
EVERYTHING = (ACL, TPG, MAP, LUN, DISK, ELSEWHERE)


@pytest.fixture
def hanging() -> Iterator[WorkerProcess]:
    """Return a process that does not end by itself."""
    worker = WorkerProcess([sys.executable, "-c", "import time; time.sleep(3600)"])
    yield worker
    worker.close(0.0)
    assert worker.wait_ended(20.0)


@pytest.mark.parametrize(
    ("item", "blocked"),
    [
        (ACL, {ACL, MAP}),
        (MAP, {ACL, MAP}),
        (LUN, {LUN}),
        (DISK, {DISK}),
        (lio_objects.Enabled(IQN, 1, 1), {ACL, TPG, MAP, LUN}),
        (lio_objects.Target(IQN), {ACL, TPG, MAP, LUN, ELSEWHERE}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_hanging_step_blocks_its_directory(
    item: lio_objects.DesiredObject, blocked: set[lio_objects.DesiredObject]
) -> None:
    """Objects of the directory that the kernel locks are blocked, and no others."""
    assert {other for other in EVERYTHING if StuckStep(item, "p", "m").blocks(other)} == blocked


def test_what_hangs_is_held_as_last_seen(hanging: WorkerProcess) -> None:
    """While the worker hangs, steps on its objects are refused and an observation has the last ones."""
    quarantine = Quarantine()
    quarantine.add(hanging, StuckStep(LUN, "iscsi/x/tpgt_1/lun/lun_0", "it hangs"))
    failure = quarantine.failure(LUN)
    assert failure is not None
    assert failure.reason == "Stuck"
    assert quarantine.failure(DISK) is None
    assert quarantine.directories(EVERYTHING) == (StuckDirectory("iscsi/x/tpgt_1/lun/lun_0", (LUN,)),)


def test_the_end_of_the_worker_ends_the_quarantine(hanging: WorkerProcess) -> None:
    """When the worker has ended, the directory is observed again, and only then changed."""
    quarantine = Quarantine()
    quarantine.add(hanging, StuckStep(LUN, "p", "it hangs"))
    hanging.abandon()
    assert hanging.wait_ended(20.0)
    assert quarantine.failure(LUN) is not None
    assert quarantine.directories(EVERYTHING) == ()
    assert quarantine.failure(LUN) is None


def test_where_a_process_waits_is_told(hanging: WorkerProcess) -> None:
    """A sleeping process has a place in the kernel, or an unknown one."""
    deadline = time.monotonic() + 20
    while hanging.kernel_stack() == "unknown" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert hanging.kernel_stack()
