"""The process that enables and disables TPGs of floating groups, on a directory in place of configfs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.core.node.governed import MARK
from lunmapd.lio.worker.switch import SwitchAction, SwitchAnswer, SwitchRequest, switch
from lunmapd.lio.worker.switch_process import (
    SwitchDeadlines,
    SwitchForeignError,
    SwitchLateError,
    SwitchProcess,
    SwitchRefusedError,
)

IQN, TAG = "iqn.2026-01.org.example:t", 1001
READ, ENABLE, DISABLE = SwitchAction.READ, SwitchAction.ENABLE, SwitchAction.DISABLE
ON_DIRECTORY = """
import sys, time
from lunmapd.lio.worker.switch import decode_switch_request, encode_switch_line, switch
from lunmapd.lio.worker.threads import serve_in_threads
def slow(request):
    time.sleep(60 if request.tag == 7 and request.action == "disable" else 0)
    return encode_switch_line(switch(request, sys.argv[1]))
serve_in_threads(decode_switch_request, slow)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a TPG that is disabled, and the directory of the targets."""
    tpg = tmp_path / "iscsi" / IQN / f"tpgt_{TAG}"
    tpg.mkdir(parents=True)
    (tpg / "enable").write_text("0\n")
    (tpg / "rtpi").write_text("0x1\n")
    mark(tpg, MARK)
    return tmp_path


def mark(tpg: Path, alias: str) -> None:
    """Give a TPG an alias, which is the mark of the tool that made it."""
    (tpg / "param").mkdir(exist_ok=True)
    (tpg / "param" / "TargetAlias").write_text(f"{alias}\n")


def file(root: Path, name: str) -> str:
    """Return what was last written to a file of the TPG."""
    return (root / "iscsi" / IQN / f"tpgt_{TAG}" / name).read_text()


def test_a_tpg_is_enabled_with_its_port_id(root: Path) -> None:
    """The port id is written while the TPG is disabled; what is enabled already is left alone."""
    assert switch(SwitchRequest(1, READ, IQN, TAG), str(root)) == SwitchAnswer(1, enabled=False)
    assert switch(SwitchRequest(2, ENABLE, IQN, TAG, 77), str(root)) == SwitchAnswer(2, enabled=True)
    assert (file(root, "rtpi")[:2], file(root, "enable")[:1]) == ("77", "1")
    assert switch(SwitchRequest(3, ENABLE, IQN, TAG, 78), str(root)).enabled
    assert file(root, "rtpi")[:2] == "77"
    assert switch(SwitchRequest(4, DISABLE, IQN, TAG), str(root)) == SwitchAnswer(4, enabled=False)
    assert file(root, "enable")[:1] == "0"


def test_a_kernel_without_port_ids_is_not_given_one(root: Path) -> None:
    """The file `rtpi` is missing before Linux 6.1."""
    (root / "iscsi" / IQN / f"tpgt_{TAG}" / "rtpi").unlink()
    assert switch(SwitchRequest(1, ENABLE, IQN, TAG, 77), str(root)).enabled


def test_a_missing_tpg_is_disabled_and_can_not_be_enabled(root: Path) -> None:
    """Reading and disabling find nothing to do; enabling gives the kernel's error."""
    assert switch(SwitchRequest(1, READ, IQN, 5), str(root)) == SwitchAnswer(1, enabled=False)
    assert switch(SwitchRequest(2, DISABLE, IQN, 5), str(root)) == SwitchAnswer(2, enabled=False)
    assert "No such file" in switch(SwitchRequest(3, ENABLE, IQN, 5, 77), str(root)).error


def test_the_target_of_another_tool_is_left_alone(root: Path) -> None:
    """Its TPG is neither disabled nor enabled, even if it has the tag of a group; ours beside one is ours."""
    tpg = root / "iscsi" / IQN / f"tpgt_{TAG}"
    mark(tpg, "LIO Target")
    (tpg / "enable").write_text("1\n")
    for action in (READ, ENABLE, DISABLE):
        answer = switch(SwitchRequest(1, action, IQN, TAG, 77), str(root))
        assert answer == SwitchAnswer(1, enabled=False, foreign=True)
    assert (file(root, "enable"), file(root, "rtpi")) == ("1\n", "0x1\n")
    (root / "iscsi" / IQN / "tpgt_2").mkdir()
    mark(root / "iscsi" / IQN / "tpgt_2", MARK)
    assert switch(SwitchRequest(1, READ, IQN, TAG), str(root)) == SwitchAnswer(1, enabled=True)


@pytest.fixture
def process(root: Path) -> Iterator[SwitchProcess]:
    """Give the process on the directory; disabling the TPG 7 takes longer than its deadline."""
    (root / "iscsi" / IQN / "tpgt_7").mkdir()
    (root / "iscsi" / IQN / "tpgt_7" / "enable").write_text("1\n")
    command = (sys.executable, "-c", ON_DIRECTORY, str(root))
    made = SwitchProcess(command, SwitchDeadlines(disable=0.3))
    yield made
    made.close()


def test_requests_go_through_one_process(process: SwitchProcess, root: Path) -> None:
    """The answers belong to their requests, and an error is the one of the kernel."""
    assert process.ask(ENABLE, IQN, TAG, 77)
    assert process.ask(READ, IQN, TAG)
    with pytest.raises(SwitchRefusedError, match="No such file"):
        process.ask(ENABLE, IQN, 5, 77)
    assert not process.ask(DISABLE, IQN, TAG)
    assert file(root, "enable")[:1] == "0"


def test_commands_that_do_not_end_delay_no_other_group(process: SwitchProcess) -> None:
    """Disabling one TPG is given up at its deadline, and meanwhile others are enabled."""
    with pytest.raises(SwitchLateError):
        process.ask(DISABLE, IQN, 7)
    assert process.ask(READ, IQN, 7)
    assert process.ask(ENABLE, IQN, TAG, 77)


def test_the_target_of_another_tool_is_an_error_of_its_own(process: SwitchProcess, root: Path) -> None:
    """The caller has to leave the addresses of the group alone, too."""
    mark(root / "iscsi" / IQN / f"tpgt_{TAG}", "LIO Target")
    with pytest.raises(SwitchForeignError):
        process.ask(READ, IQN, TAG)


def test_a_process_that_ended_is_started_again(process: SwitchProcess) -> None:
    """The request that met the end fails; the next one has a new process."""
    assert process.ask(ENABLE, IQN, TAG, 77)
    process.close()
    assert process.ask(READ, IQN, TAG)


def test_a_command_that_can_not_be_run_is_an_error() -> None:
    """So is a process that ends at once."""
    with pytest.raises(SwitchRefusedError, match="nowhere"):
        SwitchProcess(("/nowhere",)).ask(READ, IQN, TAG)
    with pytest.raises(SwitchRefusedError, match="the process that enables TPGs"):
        SwitchProcess(("false",)).ask(READ, IQN, TAG)


def test_a_process_without_answers_is_ended() -> None:
    """Nothing waits for one that has closed its output, and its input gets no further request."""
    process = SwitchProcess(("sh", "-c", "read line; exec >&-; exec sleep 30"))
    for _ in range(2):
        with pytest.raises(SwitchRefusedError, match="has ended"):
            process.ask(READ, IQN, TAG)
