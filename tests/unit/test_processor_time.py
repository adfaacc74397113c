"""The processor time of a command."""

import subprocess
from pathlib import Path

import pytest

from processor_time import processor_time


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the directory that stands for the kernel's control groups."""
    monkeypatch.setattr("processor_time._GROUPS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("above", "file", "text"),
    [("cpuacct", "cpuacct.usage", "2500000000\n"), (".", "cpu.stat", "usage_usec 2500000\nuser_usec 1\n")],
)
def test_a_command_runs_in_a_control_group(groups: Path, above: str, file: str, text: str) -> None:
    """The command's first process enters the group, and the group's count is read in seconds."""
    (groups / above).mkdir(exist_ok=True)
    with processor_time("unit") as meter:
        assert meter.group is not None
        (meter.group / file).write_text(text)
        done = subprocess.run(meter.counted(["sh", "-c", "echo $$"]), capture_output=True, check=True)
        assert (meter.group / "cgroup.procs").read_bytes() == done.stdout
        assert meter.seconds() == 2.5
    assert meter.group.parent == groups / above


def test_without_control_groups_a_command_runs_uncounted(groups: Path) -> None:
    """As for a user who may not make one."""
    groups.rmdir()
    with processor_time("unit") as meter:
        assert meter.counted(["true"]) == ["true"]
        assert meter.seconds() == 0
