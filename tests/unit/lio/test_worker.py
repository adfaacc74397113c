"""The worker process itself, as far as it can be seen without LIO."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from lunmapd.core import lio
from lunmapd.core.plan import Action, Step
from lunmapd.lio import wire
from lunmapd.lio.kernel import COMMAND
from lunmapd.lio.process import WorkerProcess

GONE = lio.StorageObject("gone", "fileio", "/srv/gone", 1, "1")
PATIENCE = 30.0


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """Return the real worker; closing its stdin ends it."""
    process = WorkerProcess(COMMAND)
    yield process
    process.close(PATIENCE)
    assert process.ended(PATIENCE)


def _apply(worker: WorkerProcess, step: Step) -> wire.Answer:
    deadline = time.monotonic() + PATIENCE
    worker.send(wire.Apply(step), deadline)
    assert isinstance(worker.receive(deadline), wire.Started)
    return worker.receive(deadline)


def test_signals_do_not_stop_it(worker: WorkerProcess) -> None:
    """Ctrl-C, a service manager's SIGTERM and a lost terminal leave it at work until its parent says so."""
    remove = Step(Action.DELETE, GONE, "gone")
    assert _apply(worker, remove) == wire.Done()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(worker.pid, number)
    assert _apply(worker, remove) == wire.Done()


def test_a_mistake_costs_its_step_only(worker: WorkerProcess) -> None:
    """A step that makes no sense is an internal failure of its own, and the worker goes on."""
    answer = _apply(worker, Step(Action.CREATE, lio.Leftover("hba", "core/fileio_10000"), "nonsense"))
    assert isinstance(answer, wire.Done)
    assert answer.failure is not None
    assert answer.failure.reason == "Internal"
    assert _apply(worker, Step(Action.DELETE, GONE, "gone")) == wire.Done()
