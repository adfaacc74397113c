"""The agent's log of conditions and failures: each one once."""

import logging

import pytest
from msgspec.structs import replace

from lunmapd.agent.reconcile.transition_log import TransitionLog, log_ended, log_restored
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED, Condition
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.reservations import ReservationFiles, ReservationRecord
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step


@pytest.fixture
def transitions(caplog: pytest.LogCaptureFixture) -> TransitionLog:
    """Give a log without any line."""
    caplog.set_level(logging.INFO)
    return TransitionLog()


def applied(reason: str, message: str = "m", *, status: bool = False) -> tuple[Condition, ...]:
    """Make the condition Applied."""
    return (Condition(APPLIED, status, reason, message, "t"),)


def test_a_condition_is_said_when_it_changes(
    transitions: TransitionLog, caplog: pytest.LogCaptureFixture
) -> None:
    """A condition is logged once until it changes, as a warning unless it is good."""
    for _ in range(3):
        transitions.conditions(applied("RemovalHeld"))
    transitions.conditions(applied("Seen", status=True))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Applied=False, RemovalHeld: m"),
        ("INFO", "Applied=True, Seen: m"),
    ]


def test_another_message_is_news(transitions: TransitionLog, caplog: pytest.LogCaptureFixture) -> None:
    """The same reason with other words, such as another object, is logged again."""
    transitions.conditions(applied("EditedAround", "luns/a"))
    transitions.conditions(applied("EditedAround", "luns/a, luns/b"))
    assert len(caplog.records) == 2


def test_failures_are_said_once_and_their_end_too(
    transitions: TransitionLog, caplog: pytest.LogCaptureFixture
) -> None:
    """The same failure is logged once, a waiting object never, and the end of a failure is logged."""
    failing = {
        ("target", "a"): Failure(Reason.IN_USE, "busy"),
        ("tpg", "a", 1): Failure(Reason.WAITING, "waits"),
    }
    transitions.failures(failing)
    transitions.failures(failing)
    transitions.failures({})
    assert [record.getMessage() for record in caplog.records] == [
        "target a fails: InUse: busy",
        "target a no longer fails",
    ]


def test_an_unwritten_status_is_said_once(
    transitions: TransitionLog, caplog: pytest.LogCaptureFixture
) -> None:
    """The status that can't be written is logged once until one was written again."""
    for error in (LunmapdError("no"), LunmapdError("no"), None, LunmapdError("no")):
        transitions.status_unwritten(error)
    assert [record.getMessage() for record in caplog.records] == ["the status was not written: no"] * 2


def test_reservations_that_end_and_that_are_restored_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The journal has which keys a node restored after a boot, and which it dropped, and why."""
    caplog.set_level(logging.INFO)
    live = ReservationRecord("5" * 32, "db", "h", "0xabc", "t", 1, 4)
    before, after = (
        Observed(reservations=ReservationFiles((record,))) for record in (replace(live, live=False), live)
    )
    log_restored(before, after)
    unmapped = lio_objects.MappedLun("t", 1, "h", 4, "db", write_protect=False)
    log_ended(after, (StepOutcome(Step(Action.DELETE, unmapped, "x")),))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"reservation restored from disk: {live}"),
        ("WARNING", f"reservation ended, since its mapped LUN was removed: {live}"),
    ]
