"""Which steps are done side by side, and that they are."""

import threading

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.worker.parallel import split_into_runs, step_runner

IQN = "iqn.2020-01.org.example:disks"


def _step(item: lio_objects.DesiredObject, action: Action = Action.CREATE) -> Step:
    return Step(action, item, "try")


def _luns(*names: str) -> list[Step]:
    return [_step(lio_objects.TpgLun(IQN, 1, name)) for name in names]


def test_only_luns_in_a_row_are_taken_together() -> None:
    """Steps that others depend on are done alone and in order; removals and creations of LUNs don't mix."""
    gone = _step(lio_objects.TpgLun(IQN, 1, "gone"), Action.DELETE)
    steps = [
        gone,
        _step(lio_objects.Target(IQN)),
        _step(lio_objects.Tpg(IQN, 1)),
        *_luns("a", "b"),
        _step(lio_objects.NodeAcl(IQN, 1, "i")),
    ]
    assert [[number for number, _ in run] for run in split_into_runs(steps)] == [[0], [1], [2], [3, 4], [5]]
    assert [[step for _, step in run] for run in split_into_runs([gone, *_luns("a")])] == [[gone], _luns("a")]


def test_a_run_is_done_side_by_side() -> None:
    """Each step of a run begins before any of them has ended, and outcomes are in the order of steps."""
    together = threading.Barrier(3)

    def do(number: int, _: Step) -> Failure | None:
        together.wait(20.0)
        return Failure(Reason.KERNEL_REFUSED, "no") if number == 1 else None

    (run,) = split_into_runs(_luns("a", "b", "c"))
    with step_runner(do, parallel=True) as perform:
        assert [outcome and outcome.reason for outcome in perform(run)] == [None, "KernelRefused", None]


@pytest.mark.parametrize("parallel", [True, False])
def test_without_lanes_and_alone_a_step_needs_no_thread(*, parallel: bool) -> None:
    """A single step, and any step on a machine with one processor, is done in the calling thread."""
    seen: list[tuple[int, str]] = []

    def do(number: int, _: Step) -> Failure | None:
        seen.append((number, threading.current_thread().name))
        return None

    steps = _luns("a") if parallel else _luns("a", "b")
    (run,) = split_into_runs(steps)
    with step_runner(do, parallel=parallel) as perform:
        assert perform(run) == [None] * len(steps)
    assert seen == [(number, threading.current_thread().name) for number in range(len(steps))]
