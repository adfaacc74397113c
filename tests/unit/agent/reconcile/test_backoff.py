"""When what fails is tried again."""

import pytest

from fakes.clock import Clock
from lunmapd.agent.reconcile.backoff import Backoff
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step

BUSY = Failure(Reason.IN_USE, "busy")
A, B = (Step(Action.CREATE, lio_objects.Target(name), "in the map") for name in "ab")
KEY_A, KEY_B = lio_objects.key_of(A.item), lio_objects.key_of(B.item)


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock(1000.0)


@pytest.fixture
def backoff(clock: Clock) -> Backoff:
    """Give one that puts off from 5 seconds to 30."""
    return Backoff(5.0, 30.0, clock)


def fail(backoff: Backoff, *steps: Step, failure: Failure = BUSY) -> None:
    """Let a pass try these steps in vain."""
    backoff.tried([StepOutcome(step, failure) for step in steps])
    backoff.settle({lio_objects.key_of(step.item): failure for step in steps})


def test_each_failure_doubles_the_time_up_to_the_most(backoff: Backoff, clock: Clock) -> None:
    """A step that fails is left out until its time has come, and each time later."""
    for delay in (5.0, 10.0, 20.0, 30.0, 30.0):
        fail(backoff, A)
        assert backoff.wait() == delay
        clock.now += delay - 0.1
        assert backoff.deferred() == {KEY_A: BUSY}
        clock.now += 0.1
        assert (backoff.deferred(), backoff.wait()) == ({}, 0.0)


def test_each_object_has_its_own_time(backoff: Backoff, clock: Clock) -> None:
    """A step that failed later is retried later, and one that waits keeps its time while others are tried."""
    fail(backoff, A)
    clock.now += 4
    backoff.tried([StepOutcome(B, BUSY)])
    backoff.settle({KEY_A: BUSY, KEY_B: BUSY})
    assert backoff.wait() == 1.0
    clock.now += 1
    assert backoff.deferred().keys() == {KEY_B}


def test_what_fails_no_more_is_forgotten(backoff: Backoff) -> None:
    """The next failure of an object that was well meanwhile begins anew."""
    fail(backoff, A)
    backoff.settle({})
    assert backoff.wait() == float("inf")
    fail(backoff, A)
    assert backoff.wait() == 5.0


def test_what_merely_waits_or_drifts_has_no_time(backoff: Backoff) -> None:
    """An object that waits for another has no retry time of its own.

    Reported drift is found by the audits.
    """
    backoff.tried([StepOutcome(A, Failure(Reason.WAITING, "x")), StepOutcome(B)])
    backoff.settle({KEY_A: Failure(Reason.WAITING, "x"), KEY_B: Failure(Reason.DRIFTED, "x")})
    assert backoff.wait() == float("inf")
    assert backoff.deferred() == {}


def test_what_costs_a_look_only_is_never_refused(backoff: Backoff, clock: Clock) -> None:
    """Held steps may be done in any pass; only the time of the next pass backs off."""
    for delay in (5.0, 10.0):
        backoff.settle({KEY_A: Failure(Reason.HELD, "x")})
        backoff.settle({KEY_A: Failure(Reason.HELD, "x")})
        assert (backoff.wait(), backoff.deferred()) == (delay, {})
        clock.now += delay


def test_times_count_from_the_end_of_the_pass(backoff: Backoff, clock: Clock) -> None:
    """After a pass that took long the kernel has its rest, too."""
    backoff.tried([StepOutcome(A, BUSY)])
    clock.now += 40
    backoff.settle({KEY_A: BUSY})
    assert backoff.wait() == 5.0


def test_an_audit_tries_everything_and_keeps_the_pace(backoff: Backoff) -> None:
    """An object that fails at an audit too keeps its back-off interval."""
    fail(backoff, A)
    backoff.hasten()
    assert (backoff.wait(), backoff.deferred()) == (0.0, {})
    fail(backoff, A)
    assert backoff.wait() == 10.0


def test_after_a_change_that_may_help_all_begins_anew(backoff: Backoff) -> None:
    """A device that came, new settings: everything is tried at once, and soon again."""
    fail(backoff, A)
    backoff.forget()
    assert (backoff.wait(), backoff.deferred()) == (float("inf"), {})
    fail(backoff, A)
    assert backoff.wait() == 5.0
