"""The worker process itself, as far as it can be seen without LIO."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.kernel import WORKER_COMMAND
from lunmapd.lio.worker.process import WorkerProcess

GONE = lio_objects.StorageObject("gone", "fileio", "/srv/gone", 1, "1")
PATIENCE = 30.0


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """Return the real worker; closing its stdin ends it."""
    process = WorkerProcess(WORKER_COMMAND)
    yield process
    process.close(PATIENCE)
    assert process.wait_ended(PATIENCE)


def _apply(worker: WorkerProcess, *steps: Step) -> list[Failure | None]:
    deadline = time.monotonic() + PATIENCE
    worker.send(wire.Apply(steps), deadline)
    outcomes: dict[int, Failure | None] = {}
    while len(outcomes) < len(steps):
        answer = worker.receive(deadline)
        assert isinstance(answer, wire.ProgressAnswer)
        outcomes |= dict(answer.outcomes)
    return [outcomes[number] for number in range(len(steps))]


def test_signals_do_not_stop_it(worker: WorkerProcess) -> None:
    """Ctrl-C, a service manager's SIGTERM and a lost terminal don't end it before its parent does."""
    remove = Step(Action.DELETE, GONE, "gone")
    assert _apply(worker, remove) == [None]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker.pid, number)
    assert _apply(worker, remove) == [None]


def test_nothing_of_the_working_directory_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of the working directory is run, whoever owns it."""
    for name in ("msgspec", "lunmapd", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    worker = WorkerProcess(WORKER_COMMAND)
    assert _apply(worker, Step(Action.DELETE, GONE, "gone")) == [None]
    worker.close(PATIENCE)


def test_a_mistake_costs_its_step_only(worker: WorkerProcess) -> None:
    """A step that makes no sense is an internal failure of its own, and the worker goes on."""
    nonsense = Step(Action.CREATE, lio_objects.Leftover("hba", "core/fileio_10000"), "nonsense")
    failed, done = _apply(worker, nonsense, Step(Action.DELETE, GONE, "gone"))
    assert failed is not None
    assert failed.reason == "Internal"
    assert done is None


def test_what_stands_on_a_failure_of_its_batch_waits(worker: WorkerProcess) -> None:
    """Within a batch too nothing is tried whose parent was refused."""
    missing = lio_objects.StorageObject("missing", "fileio", "/nowhere/missing", 1, "1")
    lun = lio_objects.TpgLun("iqn.2026-01.org.example:t", 1, "missing")
    outcomes = _apply(worker, Step(Action.CREATE, missing, "x"), Step(Action.CREATE, lun, "x"))
    assert [failure and failure.reason for failure in outcomes] == ["BackingDeviceMissing", Reason.WAITING]
