"""The debug log's lines about the result of a pass."""

import logging

import pytest

from lunmapd.agent.loop.pass_log import trace_result
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.events import Event
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from support.debug_log import lines

T = "iqn.2026-01.org.example:t"
STEP = Step(Action.CREATE, lio_objects.Target(T), "in the map")
BUSY = Failure(Reason.IN_USE, "busy")


def test_a_result_is_counted_and_named_by_reason(caplog: pytest.LogCaptureFixture) -> None:
    """Steps that were done are counted; failed objects are counted and named for each reason."""
    failures: dict[lio_objects.Key, Failure] = {("target", f"{T}{number}"): BUSY for number in range(10_000)}
    failures["tpg", T, 1] = Failure(Reason.WAITING, "waits")
    result = PassResult(Observed(), failures, (STEP,), (StepOutcome(STEP), StepOutcome(STEP, BUSY)))
    with caplog.at_level(logging.DEBUG):
        trace_result(7, result)
    assert lines(caplog.records, Event.RECONCILED) == [
        "revision 7: 1 steps done, 10001 objects fail, 1 steps remain"
    ]
    (line,) = lines(caplog.records, Event.WITHHELD)
    assert line == (
        f"10001 objects are not as desired. InUse 10000: target {T}0, target {T}1, target {T}10 and 9997 more; "
        f"Waiting 1: tpg {T} 1"
    )


def test_a_converged_pass_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Without failures there is nothing to list."""
    with caplog.at_level(logging.DEBUG):
        trace_result(7, PassResult(Observed(), {}, ()))
    assert [record.getMessage() for record in caplog.records] == [
        "revision 7: 0 steps done, 0 objects fail, 0 steps remain"
    ]


def test_at_level_info_a_result_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Without the level nothing is computed for a line."""
    with caplog.at_level(logging.INFO):
        trace_result(7, PassResult(Observed(), {("tpg", T, 1): BUSY}, ()))
    assert not caplog.records
