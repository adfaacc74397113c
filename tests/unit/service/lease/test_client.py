"""The daemon's side of the lease process, with scripted processes."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lunmapd.agent.floating.addresses import GrantLateError, GroupAddresses, LeaseProcessError
from lunmapd.clock import boot_time
from lunmapd.service.lease.client import LeaseDeadlines, LeaseProcess

GROUP = GroupAddresses(("10.0.0.50",))
SCRIPT = Path(__file__).with_name("scripted_lease.py")


@contextmanager
def _process(script: str, tmp_path: Path, **deadlines: float) -> Iterator[LeaseProcess]:
    command = (sys.executable, str(SCRIPT), script)
    process = LeaseProcess(tmp_path / "lock", command, LeaseDeadlines(**deadlines))
    yield process
    process.close()


def test_a_request_is_answered(tmp_path: Path) -> None:
    """One process answers one request after the other, and close ends it."""
    with _process("ready", tmp_path) as process:
        process.drop(GROUP)
        process.grant(GROUP, 5, boot_time() + 5)


def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    """Each request is an error with its exit status, and none waits."""
    with _process("gone", tmp_path) as process:
        for _ in range(2):
            with pytest.raises(LeaseProcessError, match="has ended with status 7"):
                process.drop(GROUP)


def test_a_process_that_gives_no_answer_is_killed(tmp_path: Path) -> None:
    """The request is an error after its deadline."""
    with (
        _process("silent", tmp_path, request=0.2) as process,
        pytest.raises(LeaseProcessError, match=r"gave no answer for 0\.2 s"),
    ):
        process.drop(GROUP)


def test_a_grant_without_an_answer_in_time_is_late(tmp_path: Path) -> None:
    """The error says so, since the kernel may have the address or not."""
    with (
        _process("silent", tmp_path, grant_end=0.1) as process,
        pytest.raises(GrantLateError, match=r"10\.0\.0\.50 in time"),
    ):
        process.grant(GROUP, 5, boot_time() + 0.2)


def test_a_process_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    """A command that is missing, and a process that waits for a former one, are told apart."""
    missing = LeaseProcess(tmp_path / "lock", ("/nonexistent",))
    with pytest.raises(LeaseProcessError, match=r"can't be started: .*No such file"):
        missing.drop(GROUP)
    with (
        _process("never", tmp_path, start=0.2) as process,
        pytest.raises(LeaseProcessError, match="a former one hangs"),
    ):
        process.drop(GROUP)


def test_a_process_that_starts_slowly_is_not_started_anew(tmp_path: Path) -> None:
    """A request that comes too early is an error; the same process answers a later one."""
    lock = tmp_path / "lock"
    lock.touch()
    with _process("late", tmp_path, start=0.1) as process:
        for _ in range(2):
            with pytest.raises(LeaseProcessError, match="not ready yet"):
                process.drop(GROUP)
        with lock.open("a") as file:
            file.write("go on\n")
        while _error(process):
            pass
    assert lock.read_text().count("started") == 1


def test_a_start_that_hangs_is_ended(tmp_path: Path) -> None:
    """Another process is started, and its time begins anew."""
    with _process("never", tmp_path, start=0.1, start_end=0.25) as process:
        errors = [_error(process) for _ in range(8)]
    waited = [
        float(found[1]) for each in errors if (found := re.search(r"not ready yet after (\S+) s", each))
    ]
    assert waited != sorted(waited)


def _error(process: LeaseProcess) -> str:
    try:
        process.drop(GROUP)
    except LeaseProcessError as error:
        return str(error)
    return ""
