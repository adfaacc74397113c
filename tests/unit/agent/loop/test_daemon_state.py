"""The file of a running daemon for `lunmapd plan`."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.daemon_state import DAEMON_FILE, DaemonFile, DaemonState, Deferral
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.state.process import this_process
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import HostCommands
from lunmapd.core.planning.draining import DrainProgress
from lunmapd.core.planning.moving import Others, ServedGroup

POINT = HistoryPoint("c", 3, "d")
DEFERRAL = Deferral(("lun", "t", 1, "l1"), Failure(Reason.IN_USE, "busy"), 100.5)
COUNTED = HostCommands("t", 1, "h", ((0, 207),), in_flight=True)
STATE = DaemonState(
    this_process("boot"),
    Policy(allow=Disruption.PATH_LOSS, report=frozenset({"lun"}), isolate_after=20.0),
    has_map=True,
    point=POINT,
    keys=("k1",),
    first=4,
    decided=(("mapped_lun", "t", 1, "h", 0),),
    silent_since=12.25,
    met=True,
    deferrals=(DEFERRAL,),
    drain=DrainProgress(1.0, True, (COUNTED,), 6.0, (COUNTED,), (("t", 1, "h"),)),
    served=(ServedGroup("t", 1001, Others.BEHIND),),
)


def test_the_state_of_a_running_daemon_is_read_back(tmp_path: Path) -> None:
    """All of it, while its process runs, in this boot of the machine; only its owner can read the file."""
    DaemonFile(tmp_path).write(STATE)
    assert DaemonFile(tmp_path).read("boot") == STATE
    assert DaemonFile(tmp_path).read("another") is None
    assert (tmp_path / DAEMON_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"process":1}'])
def test_a_damaged_file_is_that_of_no_daemon(tmp_path: Path, data: bytes) -> None:
    """The plan is then that of a daemon that starts."""
    (tmp_path / DAEMON_FILE).write_bytes(data)
    assert DaemonFile(tmp_path).read("boot") is None


def test_a_state_that_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    """A node at rest writes nothing."""
    file = DaemonFile(tmp_path)
    file.write(STATE)
    (tmp_path / DAEMON_FILE).unlink()
    file.write(STATE)
    assert not (tmp_path / DAEMON_FILE).exists()


def test_a_full_disk_leaves_no_old_state(tmp_path: Path) -> None:
    """A file that can't be written is missing, and written as soon as possible."""
    file = DaemonFile(tmp_path)
    file.write(STATE)
    blocker = tmp_path / f"{DAEMON_FILE}.new"
    blocker.mkdir()
    file.write(replace(STATE, first=5))
    assert file.read("boot") is None
    blocker.rmdir()
    file.write(STATE)
    assert file.read("boot") == STATE


def test_a_back_off_ends_with_time_and_with_news() -> None:
    """It holds for the same map and keys, until it is due."""
    assert STATE.due(POINT, ("k1",), 100.0) == {DEFERRAL.key: DEFERRAL}
    assert STATE.due(POINT, ("k1",), 100.5) == {}
    assert STATE.due(POINT, ("k2",), 100.0) == {}
    assert STATE.due(replace(POINT, revision=4), ("k1",), 100.0) == {}
