"""A repair that a crash interrupts, on the fake LIO."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import CrashedError, FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.secrets.sealing import Vault

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
LUNMAP = Lunmap(
    {"db1": Lun(Block("/dev/db1"), "0123456789abcdef" * 2, maps=(Map(T, 0, H),))},
    {T: Target({"n1": PortalGroup(1)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",))},
)
GIVEN = PassInput("n1", 1, LUNMAP, {}, Vault("c"), report=frozenset({"mapped_lun"}))
VALID_FOR = ValidityKey(HistoryPoint("c", 1, "d"), "n1", "boot", ())
STORAGE_OBJECT: lio_objects.Key = ("storage_object", "db1")
MAPPED_LUN: lio_objects.Key = ("mapped_lun", T, 1, H, 0)


class Daemon:
    """The passes of one node, and of the daemon that follows it after a restart."""

    def __init__(self, directory: Path) -> None:
        self.kernel = FakeLio()
        self._ports = PassPorts(self.kernel, Claims(directory), seen=SeenFile(directory))
        self.restart()

    def restart(self) -> None:
        """Start with the files of the earlier daemon only."""
        self._state = PassState(0.0, 60.0, Clock(0.0))

    def run_pass(self) -> PassResult:
        """Make a full pass and save the baseline."""
        result = reconcile(self._ports, GIVEN, self._state, VALID_FOR)
        self._state.baseline.save(self._ports.seen)
        return result


@pytest.mark.parametrize("crash_after", range(7))
@pytest.mark.parametrize("restarts", [False, True])
def test_reported_drift_that_a_repair_removes_is_made_again(
    tmp_path: Path, crash_after: int, *, restarts: bool
) -> None:
    """A mapping with reported drift, deleted by the repair of its storage object, returns after a crash."""
    daemon = Daemon(tmp_path)
    daemon.run_pass()
    good = dict(daemon.kernel.objects)
    storage_object, mapped_lun = good[STORAGE_OBJECT], good[MAPPED_LUN]
    assert isinstance(storage_object, lio_objects.StorageObject)
    assert isinstance(mapped_lun, lio_objects.MappedLun)
    daemon.kernel.objects[STORAGE_OBJECT] = replace(storage_object, path="/dev/other")
    daemon.kernel.objects[MAPPED_LUN] = replace(mapped_lun, write_protect=True)
    daemon.kernel.crash_after = crash_after
    try:
        daemon.run_pass()
    except CrashedError:
        if restarts:
            daemon.restart()
    daemon.kernel.crash_after = None
    for _ in range(2):
        result = daemon.run_pass()
    assert result.failures == {}
    assert daemon.kernel.objects == good
