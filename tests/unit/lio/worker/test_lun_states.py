"""The states of Luns that a lease opens, on a directory in place of configfs."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from lab.wait import wait_until
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import AluaState
from lunmapd.lio.worker import lun_states
from lunmapd.lio.worker.lun_states import LunDirectories, LunLease, read_states, write_states
from lunmapd.lio.worker.switch_process import SwitchProcess, SwitchRefusedError
from support.switch_on_directory import switch_on

CLOSED = {"a": AluaState.STANDBY, "b": AluaState.UNAVAILABLE}
OPEN = {"a": "optimized", "b": "optimized"}
SHUT = {"a": "standby", "b": "unavailable"}


def add_lun(root: Path, name: str, hba: str, state: str = "2") -> Path:
    """Add a storage object with lunmapd's group; return the directory of the group."""
    group = root / "core" / hba / name / "alua" / "lunmapd"
    group.mkdir(parents=True)
    (group / "alua_access_state").write_text(state)
    for file in ("alua_support_active_optimized", "alua_support_standby", "alua_support_unavailable"):
        (group / file).write_text("0")
    return group


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give two Luns that are closed, beside one of another tool that has a name of them."""
    add_lun(tmp_path, "a", "iblock_10000")
    add_lun(tmp_path, "b", "fileio_10001", "3")
    (tmp_path / "core" / "iblock_0" / "a").mkdir(parents=True)
    return tmp_path


def states(root: Path) -> dict[str, str]:
    """Return the states of the Luns, found anew."""
    return read_states(LunDirectories(str(root)), CLOSED)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_a_lease_opens_the_luns_and_its_end_closes_them(root: Path) -> None:
    """Each gets back the state that the map gives it; the kernel is allowed to show both."""
    lease = LunLease(LunDirectories(str(root)))
    lease.open(CLOSED, boot_time() + 5, boot_time() + 60)
    assert states(root) == OPEN
    lease.close(CLOSED)
    assert states(root) == SHUT
    group = root / "core" / "fileio_10001" / "b" / "alua" / "lunmapd"
    assert (group / "alua_support_unavailable").read_text() == "1"


def test_a_lun_that_lio_does_not_have_is_left_out(root: Path) -> None:
    """One that comes later is found, and one that is made again in another directory."""
    directories = LunDirectories(str(root))
    assert read_states(directories, {"a": 0, "c": 0}) == {"a": "standby"}
    add_lun(root, "c", "iblock_10002", "0")
    assert read_states(directories, {"a": 0, "c": 0}) == {"a": "standby", "c": "optimized"}
    (root / "core" / "iblock_10002").rename(root / "core" / "iblock_10003")
    assert read_states(directories, {"c": 0}) == {"c": "optimized"}
    (root / "core" / "iblock_10003" / "c" / "alua" / "lunmapd" / "alua_access_state").write_text("14")
    assert read_states(directories, {"c": 0}) == {"c": "14"}


def test_a_late_request_opens_nothing(root: Path) -> None:
    """The process may have been stopped between the decision and the write."""
    clock = Clock()
    lease = LunLease(LunDirectories(str(root)), clock)
    with pytest.raises(TimeoutError, match="too late"):
        lease.open(CLOSED, 99.0, 200.0)
    assert states(root) == SHUT


def test_luns_are_closed_when_nobody_extends_their_lease(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon may hang: the process itself knows the end, and looks at the clock that counts suspend."""
    clock, ended, write = Clock(), Event(), lun_states.write_states

    def write_and_tell(directories: LunDirectories, wanted: dict[str, AluaState]) -> None:
        write(directories, wanted)
        if wanted == CLOSED:
            ended.set()

    monkeypatch.setattr(lun_states, "write_states", write_and_tell)
    lease = LunLease(LunDirectories(str(root)), clock)
    lease.open(CLOSED, 101.0, 100.05)
    clock.now = 100.1
    assert ended.wait(60)
    assert states(root) == SHUT


def test_luns_that_were_open_before_close_soon(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon that opened them may not be the owner any more. A grant keeps them open."""
    write_states(LunDirectories(str(root)), dict.fromkeys(CLOSED, AluaState.OPTIMIZED))
    monkeypatch.setattr(lun_states, "ADOPTED", 0.05)
    lease = LunLease(LunDirectories(str(root)))
    lease.adopt(CLOSED)
    wait_until("they are closed", lambda: states(root) == SHUT)
    lease.open(CLOSED, boot_time() + 5, boot_time() + 60)
    lease.adopt(CLOSED)
    assert states(root) == OPEN
    lease.close(CLOSED)


def test_a_renewal_moves_the_end(root: Path) -> None:
    """The end of the former grant is no more; a timer that is early waits for the rest."""
    clock = Clock()
    lease = LunLease(LunDirectories(str(root)), clock)
    lease.open(CLOSED, 101.0, 100.0)
    lease.open(CLOSED, 101.0, 160.0)
    lease._end()
    assert states(root) == OPEN
    lease.close(CLOSED)
    lease._end()
    assert states(root) == SHUT


def test_luns_that_can_not_be_closed_are_tried_again(root: Path) -> None:
    """The others are closed all the same."""
    clock = Clock()
    lease = LunLease(LunDirectories(str(root)), clock)
    lease.open(CLOSED, 101.0, 160.0)
    support = root / "core" / "iblock_10000" / "a" / "alua" / "lunmapd" / "alua_support_standby"
    support.unlink()
    support.mkdir()
    clock.now = 161.0
    lease._end()
    assert states(root) == {"a": "optimized", "b": "unavailable"}
    support.rmdir()
    support.write_text("0")
    lease._end()
    assert states(root) == SHUT


@pytest.fixture
def process(root: Path) -> Iterator[SwitchProcess]:
    """Give the process on the directory."""
    made = switch_on(root)
    yield made
    made.close()


def test_the_process_reads_opens_and_closes_luns(process: SwitchProcess, root: Path) -> None:
    """Each answer has the states of those Luns that LIO has; a refusal is an error of the request."""
    wanted = {**CLOSED, "c": AluaState.STANDBY}
    assert process.ask_luns("t g", wanted) == SHUT
    assert process.open_luns("t g", wanted, boot_time() + 5, boot_time() + 60) == OPEN
    assert process.close_luns("t g", wanted) == SHUT
    with pytest.raises(SwitchRefusedError, match="too late"):
        process.open_luns("t g", wanted, boot_time() - 1, boot_time() + 60)
    assert states(root) == SHUT
