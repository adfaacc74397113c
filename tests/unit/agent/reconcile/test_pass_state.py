"""The conditions for partial passes between two audits, and the steps that they leave out."""

import logging

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lunmapd.agent.reconcile.pass_state import Partial, PassState
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.backings import Block
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.events import Event
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.desired_delta import MAX_CHANGED_LUNS
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import Comparison, PassInput
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import plan, with_dependents
from lunmapd.core.secrets.sealing import Keyring, Vault
from support.debug_log import lines

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
AUDIT, RETRY = 60.0, 5.0


def with_luns(*numbers: int) -> Lunmap:
    """Make a map that shows H so many Luns."""
    luns = {
        f"l{number}": Lun(Block(f"/dev/{number}"), f"{number:04x}" * 8, maps=(Map(T, number, H),))
        for number in numbers
    }
    nodes = {"n1": Node(1, ("10.0.0.1:3260",))}
    return Lunmap(luns, {T: Target({"n1": PortalGroup(1)})}, {H: Initiator()}, nodes=nodes)


LUNMAP = with_luns(1, 2, 3)
MORE = with_luns(1, 2, 3, 4)
GIVEN = PassInput("n1", 1, LUNMAP, {}, Vault("c"))
BUSY = Failure(Reason.IN_USE, "busy")
INVALID = Failure(Reason.DOCUMENT_INVALID, "breaks a rule")
LUN_1: lio_objects.Key = ("storage_object", "l1")


def wanted(given: PassInput = GIVEN) -> lio_objects.DesiredObjects:
    """Return all that these orders want."""
    return compute_desired(given.lunmap, {}, "n1", Observed(), given.vault).objects


def without(*names: lio_objects.Key) -> lio_objects.Objects:
    """Return the desired objects without some objects and their dependants."""
    gone = with_dependents(dict.fromkeys(names, ""), wanted())
    return {name: item for name, item in wanted().items() if name not in gone}


def finish(
    state: PassState,
    given: PassInput,
    result: PassResult,
    desire: Desired | None = None,
    desired: lio_objects.DesiredObjects | None = None,
) -> None:
    """End a full pass for this input with this result; by default all that the map asks for is desired."""
    desire = desire or compute_desired(given.lunmap, {}, "n1", Observed(), given.vault)
    desired = desire.objects if desired is None else desired
    objects = result.observed.objects
    comparison = Comparison(given.lunmap, desire, desired, result.observed, result.left, objects)
    state.finish_full(given, comparison, result)


def after_full_pass(
    given: PassInput,
    clock: Clock,
    seen: lio_objects.Objects | None = None,
    failures: dict[lio_objects.Key, Failure] | None = None,
) -> PassState:
    """Return the state after a full pass that observed these objects at its end, with these failures."""
    state = PassState(AUDIT, RETRY, clock)
    assert state.start(given) is FullPass.FIRST
    objects = wanted(given) if seen is None else seen
    finish(state, given, PassResult(Observed(objects), failures or {}, plan(wanted(given), objects)))
    return state


def partial(state: PassState, given: PassInput) -> Partial:
    """Start a pass that is a partial one."""
    found = state.start(given)
    assert isinstance(found, Partial)
    return found


def reason(state: PassState, given: PassInput) -> FullPass:
    """Start a pass that is a full one, and return why."""
    found = state.start(given)
    assert isinstance(found, FullPass)
    return found


def waits(state: PassState) -> float:
    """Return the seconds until the first timer."""
    return min(seconds for _, seconds in state.schedule.timers())


def test_a_part_is_known_until_the_audit() -> None:
    """Between two audits a partial pass is enough; after that a full pass is due."""
    clock = Clock(1000.0)
    state = after_full_pass(GIVEN, clock)
    assert waits(state) == AUDIT
    clock.now += 59.9
    state.finish_partial(partial(state, GIVEN), ())
    clock.now += 0.1
    assert reason(state, GIVEN) is FullPass.AUDIT


def test_a_portal_that_serves_or_not_is_a_full_pass() -> None:
    """A partial pass reports the failures of the last full one, so it can't report a new problem."""
    state = after_full_pass(GIVEN, Clock(1000.0))
    found = replace(GIVEN, portals={"10.0.0.1:3260": Failure(Reason.PORTAL_REFUSED, "refused")})
    assert reason(state, found) is FullPass.PORTALS


def test_a_backing_that_can_be_read_or_not_is_a_full_pass() -> None:
    """As for a portal."""
    state = after_full_pass(GIVEN, Clock(1000.0))
    found = replace(GIVEN, unread={"a": Failure(Reason.BACKING_HANGS, "no answer")})
    assert reason(state, found) is FullPass.BACKINGS


def test_the_next_audit_counts_from_the_end_of_the_last_one() -> None:
    """A node that is slower than its audits has its rest between them."""
    clock = Clock(1000.0)
    state = PassState(AUDIT, RETRY, clock)
    assert isinstance(state.start(GIVEN), FullPass)
    clock.now += 2 * AUDIT
    finish(state, GIVEN, PassResult(Observed(wanted()), {}, ()))
    assert waits(state) == AUDIT


def test_a_part_that_was_not_settled_is_forgotten() -> None:
    """When it is not known how a part ended, the next pass is a whole one."""
    state = after_full_pass(GIVEN, Clock(1000.0))
    partial(state, GIVEN)
    assert reason(state, GIVEN) is FullPass.INTERRUPTED


def test_without_an_audit_each_pass_is_a_whole_one() -> None:
    """Nothing is gone by, and no audit is waited for."""
    state = PassState(0.0, RETRY, Clock(1000.0))
    for why in (FullPass.FIRST, FullPass.NO_AUDIT):
        assert reason(state, GIVEN) is why
        finish(state, GIVEN, PassResult(Observed(wanted()), {}, ()))
    assert waits(state) == float("inf")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(GIVEN, enablement=Enablement.NONE), FullPass.ISOLATION),
        (replace(GIVEN, unreadable={"luns/a": "garbage"}), FullPass.DOCUMENTS),
        (replace(GIVEN, decided=frozenset({("target", "t")})), FullPass.POLICY),
        (replace(GIVEN, allow=Disruption.NONE), FullPass.POLICY),
        (replace(GIVEN, vault=Vault("c", Keyring({"k": bytes(32)}))), FullPass.POLICY),
    ],
)
def test_other_orders_ask_for_a_full_pass(other: PassInput, why: FullPass) -> None:
    """Isolation, unreadable documents, due removals, overrides and other keys need a full pass."""
    assert reason(after_full_pass(GIVEN, Clock(1000.0)), other) is why


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(GIVEN, enablement=Enablement.NONE), FullPass.NOT_FULLY_ENABLED),
        (replace(GIVEN, unreadable={"luns/a": "garbage"}), FullPass.UNREADABLE),
        (replace(GIVEN, node="n9"), FullPass.UNKNOWN_DESIRED),
    ],
)
def test_after_a_full_pass_that_knows_too_little_comes_another(other: PassInput, why: FullPass) -> None:
    """Where not all that is desired is known, no partial pass may follow."""
    state = PassState(AUDIT, RETRY, Clock(1000.0))
    state.start(other)
    failures: dict[lio_objects.Key, Failure] = {("document", "luns/a"): INVALID} if other.node != "n1" else {}
    finish(state, other, PassResult(Observed(), {}, ()), Desired({}, failures))
    assert reason(state, other) is why


def test_what_fails_stays_out_of_the_parts_and_stays_reported() -> None:
    """Another Lun is applied while one fails.

    Failures and withheld steps stay as reported, removals as decided.
    """
    failures = {LUN_1: BUSY}
    state = after_full_pass(GIVEN, Clock(1000.0), without(LUN_1), failures)
    part = partial(state, replace(GIVEN, lunmap=MORE))
    assert LUN_1 not in part.delta.keys
    result = state.finish_partial(part, ())
    assert (result.failures, {lio_objects.key_of(step.item)[0] for step in result.left}) == (
        failures,
        {"storage_object", "lun", "mapped_lun"},
    )


@pytest.mark.parametrize(
    "lunmap", [with_luns(2, 3), replace(LUNMAP, luns={**LUNMAP.luns, "l1": with_luns(9).luns["l9"]})]
)
def test_a_change_of_what_fails_asks_for_a_whole_pass_and_all_is_tried(lunmap: Lunmap) -> None:
    """The Lun that failed may be right now, so nothing is put off any longer."""
    state = after_full_pass(GIVEN, Clock(1000.0), without(LUN_1), {LUN_1: BUSY})
    assert state.schedule.backoff.wait() == RETRY
    assert reason(state, replace(GIVEN, lunmap=lunmap)) is FullPass.UNFINISHED
    assert state.schedule.backoff.wait() == float("inf")


@pytest.mark.parametrize(("failure", "followed"), [(BUSY, False), (Failure(Reason.DRIFTED, "x"), True)])
def test_nothing_is_built_on_what_fails(failure: Failure, followed: bool) -> None:  # noqa: FBT001
    """A new Lun waits if its TPG can't be made as desired, but not for drift that is only reported."""
    tpg = lio_objects.Tpg(T, 1)
    seen = {**wanted(), ("tpg", T, 1): tpg}
    state = after_full_pass(GIVEN, Clock(1000.0), seen, {("tpg", T, 1): failure})
    assert isinstance(state.start(replace(GIVEN, lunmap=MORE)), Partial) is followed


def test_what_is_missing_bears_nothing_though_it_is_only_reported() -> None:
    """A TPG that was removed by hand is missing for the map's changes, with any setting."""
    seen = {name: item for name, item in wanted().items() if name[0] in {"storage_object", "target"}}
    state = after_full_pass(GIVEN, Clock(1000.0), seen, {("tpg", T, 1): Failure(Reason.DRIFTED, "x")})
    assert reason(state, replace(GIVEN, lunmap=MORE)) is FullPass.UNFINISHED


def test_what_is_due_asks_for_a_whole_pass() -> None:
    """Only a full pass finds the leftovers of a failed step, so a partial one doesn't retry it."""
    clock = Clock(1000.0)
    state = after_full_pass(GIVEN, clock, without(LUN_1), {LUN_1: BUSY})
    clock.now += RETRY
    assert reason(state, GIVEN) is FullPass.RETRY


def test_a_change_that_may_help_asks_for_a_whole_pass_only_where_something_fails() -> None:
    """A device that comes is no reason to look at everything on a node that is well."""
    state = after_full_pass(GIVEN, Clock(1000.0))
    state.try_again()
    partial(state, GIVEN)
    state = after_full_pass(GIVEN, Clock(1000.0), without(LUN_1), {LUN_1: BUSY})
    state.try_again()
    assert reason(state, GIVEN) is FullPass.CHANGED_OUTSIDE
    assert state.schedule.backoff.wait() == float("inf")


def test_halves_and_many_failures_are_left_to_whole_passes() -> None:
    """A leftover in the kernel, or more than a few failures, need full passes."""
    half = lio_objects.Leftover("lun", "iscsi/x")
    state = after_full_pass(GIVEN, Clock(1000.0), {**wanted(), lio_objects.key_of(half): half})
    assert reason(state, GIVEN) is FullPass.LEFTOVERS
    many: dict[lio_objects.Key, Failure] = {
        ("portal", T, 1, str(number)): BUSY for number in range(MAX_CHANGED_LUNS + 1)
    }
    assert reason(after_full_pass(GIVEN, Clock(1000.0), failures=many), GIVEN) is FullPass.MANY_FAILURES


def test_what_was_closed_by_ourselves_is_nobodys_drift() -> None:
    """A TPG that isolation disabled is enabled again by the map, also with `drift: report`."""
    state = PassState(AUDIT, RETRY, Clock(1000.0))
    closed = {key: item for key, item in wanted().items() if not isinstance(item, lio_objects.Enabled)}
    finish(state, GIVEN, PassResult(Observed(closed), {}, ()), desired=closed)
    assert state.baseline.current is not None
    assert state.baseline.current.open == {("enabled", T, 1)}
    finish(state, GIVEN, PassResult(Observed(wanted()), {}, ()))
    assert state.baseline.current.open == frozenset()


def test_a_held_pass_is_put_off_like_an_object() -> None:
    """A held pass backs off instead of observing every few seconds."""
    clock = Clock(1000.0)
    state = after_full_pass(GIVEN, clock)
    state.start(GIVEN)
    state.finish_held(LunmapdError("x"))
    assert waits(state) == RETRY
    state.finish_held(LunmapdError("x"))
    clock.now += RETRY
    state.finish_held(LunmapdError("x"))
    assert waits(state) == 2 * RETRY


def test_a_report_puts_its_step_off() -> None:
    """A step that failed is not tried twice in a turn."""
    state = after_full_pass(GIVEN, Clock(1000.0), without(LUN_1))
    (step, *_) = plan(wanted(), without(LUN_1))
    state.schedule.backoff.tried([StepOutcome(step, BUSY)])
    assert state.schedule.backoff.deferred() == {LUN_1: BUSY}


def test_an_edit_that_is_not_followed_is_left_to_a_whole_pass() -> None:
    """A rejected out-of-band edit needs a full pass; an accepted one is a change of the map."""
    one = LUNMAP.luns["l1"]
    recorded = {"luns/l1": encode(one)}
    another, fewer = (
        replace(LUNMAP, luns={**LUNMAP.luns, "l1": lun})
        for lun in (replace(one, serial="9" * 32), replace(one, maps=()))
    )
    edited = replace(GIVEN, lunmap=another, edited=recorded)
    assert reason(after_full_pass(GIVEN, Clock(1000.0)), edited) is FullPass.OUT_OF_BAND
    partial(after_full_pass(GIVEN, Clock(1000.0)), replace(GIVEN, lunmap=fewer, edited=recorded))


def test_a_held_pass_and_new_settings_ask_for_a_full_pass() -> None:
    """A pass that was held is made again as a whole, and so is one with other settings."""
    state = after_full_pass(GIVEN, Clock(1000.0))
    state.start(GIVEN)
    state.finish_held(LunmapdError("x"))
    assert reason(state, GIVEN) is FullPass.HELD
    state.reload(AUDIT, RETRY)
    assert reason(state, GIVEN) is FullPass.RELOADED


def test_what_is_deferred_is_in_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    """After a full pass each failed object is logged with its reason and the time until its retry."""
    state = PassState(AUDIT, RETRY, Clock(1000.0))
    state.start(GIVEN)
    (step, *_) = plan(wanted(), without(LUN_1))
    state.schedule.backoff.tried([StepOutcome(step, BUSY)])
    with caplog.at_level(logging.DEBUG):
        finish(state, GIVEN, PassResult(Observed(without(LUN_1)), {LUN_1: BUSY}, ()))
    (line,) = lines(caplog.records, Event.BACK_OFF)
    assert line == "1 objects are deferred, the next one for 5.0 s: storage_object l1 for 5.0 s (InUse)"
