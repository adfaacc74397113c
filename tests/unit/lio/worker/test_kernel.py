"""The parent's side: deadlines, and workers that hang or die. The worker is a script in worker.py."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.wait import wait_until
from lunmapd.core.base.events import Event
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.worker.kernel import Deadlines, Kernel, KernelUnreadableError
from support.debug_log import lines, values

QUICK = Deadlines(observe=60.0, step=2.0, close=5.0, max_lost_workers=3)
MakeKernel = Callable[..., Kernel]


@pytest.fixture
def make_kernel(tmp_path: Path) -> Iterator[MakeKernel]:
    """Make kernels on the scripted worker, which creates `started`; all are closed at the end."""
    made: list[Kernel] = []

    def make(
        observation: str = "answer", deadlines: Deadlines = QUICK, answered: Callable[[], None] = lambda: None
    ) -> Kernel:
        script = Path(__file__).with_name("scripted_worker.py")
        command = [sys.executable, str(script), observation, str(tmp_path / "started")]
        made.append(Kernel(command, deadlines, answered))
        return made[-1]

    yield make
    for kernel in made:
        kernel.close()


def _create(*names: str) -> list[Step]:
    return [Step(Action.CREATE, lio_objects.Target(name), "try") for name in names]


def _reasons(reports: list[StepOutcome]) -> list[str | None]:
    return [report.failure.reason if report.failure else None for report in reports]


def test_steps_are_done_in_order_and_reported(make_kernel: MakeKernel) -> None:
    """Each step has its report; a refusal is passed on, and the next step is done."""
    kernel = make_kernel()
    assert kernel.observe(frozenset({"claimed"})).features == {"claimed"}
    assert _reasons(list(kernel.apply(_create("a", "refuse", "b")))) == [None, "KernelRefused", None]


def test_what_comes_in_parts_is_one_observation(make_kernel: MakeKernel) -> None:
    """A worker may send objects as it finds them.

    Unchanged ones stay the same instance, others are dropped.
    """
    kernel = make_kernel()
    before = kernel.observe(frozenset({"iqn.a", "iqn.b"})).objects
    after = kernel.observe(frozenset({"iqn.b", "iqn.c"})).objects
    assert before == lio_objects.by_key([*_of("iqn.a"), *_of("iqn.b")])
    assert after == lio_objects.by_key([*_of("iqn.b"), *_of("iqn.c")])
    assert after["target", "iqn.b"] is before["target", "iqn.b"]


def test_backings_come_in_parts_too(make_kernel: MakeKernel) -> None:
    """Facts arrive with their storage objects; those that did not change stay the same instances."""
    kernel = make_kernel()
    before = kernel.observe(frozenset({"lun.a", "lun.b"})).backings
    after = kernel.observe(frozenset({"lun.b", "lun.c"})).backings
    assert before == {name: BackingFacts(file=name) for name in ("lun.a", "lun.b")}
    assert after == {name: BackingFacts(file=name) for name in ("lun.b", "lun.c")}
    assert after["lun.b"] is before["lun.b"]


def _of(iqn: str) -> tuple[lio_objects.DesiredObject, ...]:
    return lio_objects.Target(iqn), lio_objects.Tpg(iqn, 1)


def test_what_stands_on_a_failure_waits(make_kernel: MakeKernel) -> None:
    """A step whose parent failed is not sent to the worker."""
    steps = [*_create("refuse"), Step(Action.CREATE, lio_objects.Tpg("refuse", 1), "try")]
    assert _reasons(list(make_kernel().apply(steps))) == ["KernelRefused", Reason.WAITING]


def test_a_hanging_step_costs_itself_only(make_kernel: MakeKernel) -> None:
    """The step is reported as stuck with the worker's pid, and a new worker does the others."""
    kernel = make_kernel()
    reports = list(kernel.apply(_create("a", "hang", "b")))
    assert _reasons(reports) == [None, "Stuck", None]
    assert reports[1].failure is not None
    assert "worker" in reports[1].failure.message


def test_steps_that_hang_side_by_side_cost_themselves_only(make_kernel: MakeKernel) -> None:
    """Each step that was under way when the worker was given up is stuck; the others are done."""
    steps = _create("a", "hang-together", "beside", "b")
    reports = {str(report.step): report for report in make_kernel().apply(steps)}
    assert _reasons([reports[str(step)] for step in steps]) == [None, "Stuck", "Stuck", None]


def test_a_dying_worker_costs_its_step_only(make_kernel: MakeKernel) -> None:
    """The step is reported with the exit status, and a new worker does the others."""
    reports = list(make_kernel().apply(_create("a", "die", "b")))
    assert _reasons(reports) == [None, "WorkerDied", None]
    assert reports[1].failure is not None
    assert "status 3" in reports[1].failure.message


def test_a_worker_that_dies_again_and_again_costs_no_other_step(make_kernel: MakeKernel) -> None:
    """After a death the steps of the batch are sent one by one; steps that were done are not repeated."""
    reports = list(make_kernel().apply(_create("a", "die-1", "refuse", "die-2", "b")))
    assert _reasons(reports) == [None, "WorkerDied", "KernelRefused", "WorkerDied", None]
    assert [str(report.step) for report in reports] == [
        str(step) for step in _create("a", "die-1", "refuse", "die-2", "b")
    ]


def test_after_some_losses_the_rest_is_put_off(make_kernel: MakeKernel) -> None:
    """A plan that loses worker after worker does not go on through all its steps."""
    kernel = make_kernel("answer", Deadlines(step=5.0, max_lost_workers=1))
    assert _reasons(list(kernel.apply(_create("die", "a")))) == ["WorkerDied", "WorkerDied"]
    assert _reasons(list(kernel.apply(_create("a")))) == [None]


def test_an_observation_that_hangs_is_given_up(make_kernel: MakeKernel) -> None:
    """After the deadline the kernel counts as unreadable, and the daemon goes on."""
    kernel = make_kernel("hang", Deadlines(observe=0.3))
    began = time.monotonic()
    with pytest.raises(KernelUnreadableError, match="reading LIO") as caught:
        kernel.observe(frozenset())
    assert caught.value.failure.reason == "Stuck"
    assert time.monotonic() - began < 20


def test_an_observation_that_goes_on_is_not_given_up(make_kernel: MakeKernel, tmp_path: Path) -> None:
    """It may take longer than the deadline, which starts again at each part; each part is a sign of life."""
    parts: list[None] = []
    kernel = make_kernel("slowly", Deadlines(observe=2.0), lambda: parts.append(None))
    kernel.start()
    wait_until("the worker runs, which may take longer than an observation", (tmp_path / "started").exists)
    began, claims = time.monotonic(), frozenset(f"iqn.{number}" for number in range(9))
    assert len(kernel.observe(claims).objects) == 2 * len(claims)
    assert time.monotonic() - began > 2
    assert len(parts) == len(claims)


@pytest.mark.parametrize("path", ["core", "iscsi", "iscsi/iqn.a", "iscsi/iqn.a/tpgt_1"])
def test_an_observation_that_hangs_says_where(make_kernel: MakeKernel, path: str) -> None:
    """The directory that could not be read is named."""
    kernel = make_kernel(f"hang-in {path}", Deadlines(observe=5.0))
    with pytest.raises(KernelUnreadableError, match=f"reading LIO {path}: no answer from the kernel"):
        kernel.observe(frozenset())


def test_a_worker_is_started_before_the_first_observation(
    make_kernel: MakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """The observation uses the process that was started for it, and starts no second one."""
    kernel = make_kernel()
    with caplog.at_level(logging.DEBUG):
        kernel.start()
        assert len(lines(caplog.records, Event.WORKER_STARTED)) == 1
        kernel.observe(frozenset())
    assert len(lines(caplog.records, Event.WORKER_STARTED)) == 1


def test_an_observation_whose_worker_dies_is_reported(make_kernel: MakeKernel) -> None:
    """A worker that can't even start is no silent loop."""
    with pytest.raises(KernelUnreadableError, match="status 3") as caught:
        make_kernel("die").observe(frozenset())
    assert caught.value.failure.reason == "WorkerDied"


def test_an_unreadable_kernel_fails_every_step_at_once(make_kernel: MakeKernel) -> None:
    """Without an observation no step is tried, and no worker is started for each."""
    assert _reasons(list(make_kernel("die").apply(_create("a", "b")))) == ["WorkerDied", "WorkerDied"]


def test_closing_ends_the_worker(make_kernel: MakeKernel) -> None:
    """The worker ends when its stdin closes, and a later observation starts another."""
    kernel = make_kernel()
    kernel.observe(frozenset())
    worker = kernel._worker
    assert worker is not None
    kernel.close()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
    assert kernel.observe(frozenset({"again"})).features == {"again"}


def test_each_worker_that_starts_or_is_lost_is_in_the_debug_log(
    make_kernel: MakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """The pid is logged when it starts; when it is lost also why, and where it waits in the kernel."""
    with caplog.at_level(logging.DEBUG):
        kernel = make_kernel()
        list(kernel.apply(_create("a", "hang", "b", "die")))
        kernel.observe(frozenset())
    started = values(caplog.records, Event.WORKER_STARTED, "pid")
    assert values(caplog.records, Event.WORKER_LOST, "pid") == started[:-1]
    hung, *_, died = lines(caplog.records, Event.WORKER_LOST)
    assert f"no answer from the kernel for 2 s; worker {started[0]} waits in " in hung
    assert "status 3" in died


def test_a_worker_that_was_left_behind_and_ends_is_in_the_debug_log(
    make_kernel: MakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    """From then on the directory that it blocked is read again."""
    with caplog.at_level(logging.DEBUG):
        kernel = make_kernel()
        list(kernel.apply(_create("hang")))
        wait_until("the worker has ended", lambda: not kernel._abandoned or not kernel._abandoned[0].alive)
        kernel.observe(frozenset())
    assert values(caplog.records, Event.WORKER_ENDED, "pid") == values(
        caplog.records, Event.WORKER_LOST, "pid"
    )
