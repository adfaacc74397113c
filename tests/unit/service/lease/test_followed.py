"""The floating groups of the daemon: its TPGs' errors, and when a stop releases the groups."""

import subprocess
from pathlib import Path

import pytest

from lunmapd.agent.floating.own_report import Identity
from lunmapd.agent.floating.tpgs import TpgError, TpgStuckError
from lunmapd.core.base.lunmap import TpgId
from lunmapd.lio.worker.switch_process import SwitchDeadlines, SwitchProcess
from lunmapd.service.lease.followed import SwitchedTpgs, followed_groups, job_type
from lunmapd.store.session.session import Session

TPG = TpgId("iqn.2026-01.org.example:t", 1001)
JOBS = "12 lunmapd.service {} running\n13 other.service stop waiting\n"


@pytest.mark.parametrize("job", ["stop", "restart", "start"])
def test_the_job_of_systemd_says_what_becomes_of_the_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    """A stop, also at a shutdown, releases them, and a restart does not."""
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\nprintf '{JOBS.format(job)}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert job_type() == job


def test_without_systemd_there_is_no_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A daemon that is stopped by hand may be started again at once, or never."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert job_type() == ""


def test_the_errors_of_the_process_are_those_of_the_loop() -> None:
    """A refusal and a deadline are distinguished: only the latter leaves commands behind."""
    with pytest.raises(TpgError, match=r"could not enable TPG 1001 of iqn.*nowhere"):
        SwitchedTpgs(SwitchProcess(("/nowhere",))).enable(TPG, 77)
    hanging = SwitchProcess(("sleep", "60"), SwitchDeadlines(start=0.1, disable=0.1))
    tpgs = SwitchedTpgs(hanging)
    with pytest.raises(TpgStuckError, match="no answer from the kernel"):
        tpgs.disable(TPG)
    with pytest.raises(TpgStuckError):
        tpgs.is_enabled(TPG)
    tpgs.close()


def test_a_node_without_groups_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process and no thread: nothing changes for maps without floating groups."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    session = Session("127.0.0.1:9")
    with followed_groups(session, Identity("n1", "b"), tmp_path, lambda: None) as groups:
        assert groups.views() == ()
    assert list(tmp_path.iterdir()) == []
