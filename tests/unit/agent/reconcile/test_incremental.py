"""The conditions for partial passes between two audits, and the steps that they leave out."""

import logging

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lunmapd.agent.reconcile.incremental import Memory
from lunmapd.agent.reconcile.result import Result
from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.events import Event, FullPass
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.desired_delta import MAX_CHANGED_LUNS, Delta
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.enablement import Offer
from lunmapd.core.planning.outcome import Report
from lunmapd.core.planning.plan import Disruption, Plan, plan, with_dependents
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
ORDERS = PassInput("n1", 1, LUNMAP, {}, Vault("c"))
BUSY = Failure(Reason.IN_USE, "busy")
LUN_1: lio_objects.Key = ("storage_object", "l1")


def wanted(orders: PassInput = ORDERS) -> lio_objects.Objects:
    """Return all that these orders want."""
    return compute_desired(orders.lunmap, {}, "n1", Observed(), orders.vault).objects


def without(*names: lio_objects.Key) -> lio_objects.Objects:
    """Return the desired objects without some objects and their dependants."""
    gone = with_dependents(dict.fromkeys(names, ""), wanted())
    return {name: item for name, item in wanted().items() if name not in gone}


def learned(
    orders: PassInput,
    clock: Clock,
    seen: lio_objects.Objects | None = None,
    failures: dict[lio_objects.Key, Failure] | None = None,
    left: Plan | None = None,
) -> Memory:
    """Return an incremental state after a full pass with this input, observation and failures."""
    memory = Memory(AUDIT, RETRY, clock)
    assert isinstance(memory.part(orders), FullPass)
    want = compute_desired(orders.lunmap, {}, "n1", Observed(), orders.vault)
    found = Observed(want.objects if seen is None else seen)
    rest = plan(want.objects, found.objects) if left is None else left
    memory.learn(orders, want, want.objects, Result(found, failures or {}, rest))
    return memory


def follows(memory: Memory, orders: PassInput) -> bool:
    """Return whether the memory answers for other orders."""
    return isinstance(memory.part(orders), Delta)


def reason(memory: Memory, orders: PassInput) -> FullPass:
    """Return why the memory does not answer for these orders."""
    part = memory.part(orders)
    assert isinstance(part, FullPass)
    return part


def waits(memory: Memory) -> float:
    """Return the seconds until the first timer of the memory."""
    return min(seconds for _, seconds in memory.timers())


def test_a_part_is_known_until_the_audit() -> None:
    """Between two audits a partial pass is enough; after that a full pass is due."""
    clock = Clock(1000.0)
    memory = learned(ORDERS, clock)
    assert waits(memory) == AUDIT
    clock.now += 59.9
    assert follows(memory, ORDERS)
    memory.settle(())
    clock.now += 0.1
    assert reason(memory, ORDERS) is FullPass.AUDIT


def test_the_next_audit_counts_from_the_end_of_the_last_one() -> None:
    """A node that is slower than its audits has its rest between them."""
    clock = Clock(1000.0)
    memory = Memory(AUDIT, RETRY, clock)
    assert isinstance(memory.part(ORDERS), FullPass)
    clock.now += 2 * AUDIT
    want = compute_desired(LUNMAP, {}, "n1", Observed(), ORDERS.vault)
    memory.learn(ORDERS, want, want.objects, Result(Observed(want.objects), {}, ()))
    assert waits(memory) == AUDIT


def test_a_part_that_was_not_settled_is_forgotten() -> None:
    """When it is not known how a part ended, the next pass is a whole one."""
    memory = learned(ORDERS, Clock(1000.0))
    assert follows(memory, ORDERS)
    assert reason(memory, ORDERS) is FullPass.INTERRUPTED


def test_without_an_audit_each_pass_is_a_whole_one() -> None:
    """Nothing is gone by, and no audit is waited for."""
    memory = Memory(0.0, RETRY, Clock(1000.0))
    for why in (FullPass.FIRST, FullPass.NO_AUDIT):
        assert reason(memory, ORDERS) is why
        want = compute_desired(LUNMAP, {}, "n1", Observed(), ORDERS.vault)
        memory.learn(ORDERS, want, want.objects, Result(Observed(want.objects), {}, ()))
    assert waits(memory) == float("inf")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(ORDERS, offer=Offer.NONE), FullPass.ISOLATION),
        (replace(ORDERS, unreadable={"luns/a": "garbage"}), FullPass.DOCUMENTS),
        (replace(ORDERS, decided=frozenset({("target", "t")})), FullPass.POLICY),
        (replace(ORDERS, allow=Disruption.NONE), FullPass.POLICY),
        (replace(ORDERS, vault=Vault("c", Keyring({"k": bytes(32)}))), FullPass.POLICY),
    ],
)
def test_other_orders_ask_for_a_full_pass(other: PassInput, why: FullPass) -> None:
    """Isolation, unreadable documents, due removals, overrides and other keys need a full pass."""
    assert reason(learned(ORDERS, Clock(1000.0)), other) is why


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(ORDERS, offer=Offer.NONE), FullPass.NOT_FULLY_ENABLED),
        (replace(ORDERS, unreadable={"luns/a": "garbage"}), FullPass.UNREADABLE),
        (replace(ORDERS, node="n9"), FullPass.UNKNOWN_DESIRED),
    ],
)
def test_after_a_full_pass_that_knows_too_little_comes_another(other: PassInput, why: FullPass) -> None:
    """Where not all that is desired is known, no partial pass may follow."""
    memory = Memory(AUDIT, RETRY, Clock(1000.0))
    memory.part(other)
    failures: dict[lio_objects.Key, Failure] = {("target", T): BUSY} if other.node != "n1" else {}
    want = Desired({}, failures)
    memory.learn(other, want, {}, Result(Observed(), {}, ()))
    assert reason(memory, other) is why


def test_what_fails_stays_out_of_the_parts_and_stays_reported() -> None:
    """Another Lun is applied while one fails.

    Failures and withheld steps stay as reported, removals as decided.
    """
    failures = {LUN_1: BUSY}
    memory = learned(ORDERS, Clock(1000.0), without(LUN_1), failures)
    part = memory.part(replace(ORDERS, lunmap=MORE))
    assert isinstance(part, Delta)
    assert LUN_1 not in part.keys
    result = memory.settle(())
    assert (result.failures, {lio_objects.key_of(step.item)[0] for step in result.left}) == (
        failures,
        {"storage_object", "lun", "mapped_lun"},
    )


@pytest.mark.parametrize(
    "lunmap", [with_luns(2, 3), replace(LUNMAP, luns={**LUNMAP.luns, "l1": with_luns(9).luns["l9"]})]
)
def test_a_change_of_what_fails_asks_for_a_whole_pass_and_all_is_tried(lunmap: Lunmap) -> None:
    """The Lun that failed may be right now, so nothing is put off any longer."""
    memory = learned(ORDERS, Clock(1000.0), without(LUN_1), {LUN_1: BUSY})
    assert memory.backoff.wait() == RETRY
    assert reason(memory, replace(ORDERS, lunmap=lunmap)) is FullPass.UNFINISHED
    assert memory.backoff.wait() == float("inf")


@pytest.mark.parametrize(("failure", "followed"), [(BUSY, False), (Failure(Reason.DRIFTED, "x"), True)])
def test_nothing_is_built_on_what_fails(failure: Failure, followed: bool) -> None:  # noqa: FBT001
    """A new Lun waits if its TPG can't be made as desired, but not for drift that is only reported."""
    tpg = lio_objects.Tpg(T, 1)
    seen = {**wanted(), ("tpg", T, 1): tpg}
    memory = learned(ORDERS, Clock(1000.0), seen, {("tpg", T, 1): failure})
    assert follows(memory, replace(ORDERS, lunmap=MORE)) is followed


def test_what_is_missing_bears_nothing_though_it_is_only_reported() -> None:
    """A TPG that was removed by hand is missing for the map's changes, with any setting."""
    seen = {name: item for name, item in wanted().items() if name[0] in {"storage_object", "target"}}
    memory = learned(ORDERS, Clock(1000.0), seen, {("tpg", T, 1): Failure(Reason.DRIFTED, "x")})
    assert not follows(memory, replace(ORDERS, lunmap=MORE))


def test_what_is_due_asks_for_a_whole_pass() -> None:
    """Only a full pass finds the leftovers of a failed step, so a partial one doesn't retry it."""
    clock = Clock(1000.0)
    memory = learned(ORDERS, clock, without(LUN_1), {LUN_1: BUSY})
    clock.now += RETRY
    assert reason(memory, ORDERS) is FullPass.RETRY


def test_a_change_that_may_help_asks_for_a_whole_pass_only_where_something_fails() -> None:
    """A new device causes a full pass only on a node with failures."""
    memory = learned(ORDERS, Clock(1000.0))
    memory.try_again()
    assert follows(memory, ORDERS)
    memory = learned(ORDERS, Clock(1000.0), without(LUN_1), {LUN_1: BUSY})
    memory.try_again()
    assert reason(memory, ORDERS) is FullPass.CHANGED_OUTSIDE
    assert memory.backoff.wait() == float("inf")


def test_halves_and_many_failures_are_left_to_whole_passes() -> None:
    """A leftover in the kernel, or more than a few failures, need full passes."""
    half = lio_objects.Leftover("lun", "iscsi/x")
    memory = learned(ORDERS, Clock(1000.0), {**wanted(), lio_objects.key_of(half): half})
    assert reason(memory, ORDERS) is FullPass.LEFTOVERS
    many: dict[lio_objects.Key, Failure] = {
        ("portal", T, 1, str(number)): BUSY for number in range(MAX_CHANGED_LUNS + 1)
    }
    assert reason(learned(ORDERS, Clock(1000.0), failures=many), ORDERS) is FullPass.MANY_FAILURES


def test_what_was_closed_by_ourselves_is_nobodys_drift() -> None:
    """A TPG that isolation disabled is enabled again by the map, also with `drift: report`."""
    memory = Memory(AUDIT, RETRY, Clock(1000.0))
    want = compute_desired(LUNMAP, {}, "n1", Observed(), ORDERS.vault)
    closed = {name: item for name, item in want.objects.items() if not isinstance(item, lio_objects.Enabled)}
    memory.learn(ORDERS, want, closed, Result(Observed(closed), {}, ()))
    assert memory.known is not None
    assert memory.known.open == {("enabled", T, 1)}
    memory.learn(ORDERS, want, want.objects, Result(Observed(want.objects), {}, ()))
    assert memory.known.open == frozenset()


def test_a_held_pass_is_put_off_like_an_object() -> None:
    """A held pass backs off instead of observing every few seconds."""
    clock = Clock(1000.0)
    memory = learned(ORDERS, clock)
    memory.part(ORDERS)
    memory.held(LunmapdError("x"))
    assert waits(memory) == RETRY
    memory.held(LunmapdError("x"))
    clock.now += RETRY
    memory.held(LunmapdError("x"))
    assert waits(memory) == 2 * RETRY


def test_a_report_puts_its_step_off() -> None:
    """A failed step is not tried twice in a cycle."""
    memory = learned(ORDERS, Clock(1000.0), without(LUN_1))
    (step, *_) = plan(wanted(), without(LUN_1))
    memory.backoff.tried([Report(step, BUSY)])
    assert memory.backoff.deferred() == {LUN_1: BUSY}


def test_an_edit_that_is_not_followed_is_left_to_a_whole_pass() -> None:
    """A rejected out-of-band edit needs a full pass; an accepted one is a change of the map."""
    one = LUNMAP.luns["l1"]
    recorded = {"luns/l1": encode(one)}
    another, fewer = (
        replace(LUNMAP, luns={**LUNMAP.luns, "l1": lun})
        for lun in (replace(one, serial="9" * 32), replace(one, maps=()))
    )
    edited = replace(ORDERS, lunmap=another, edited=recorded)
    assert reason(learned(ORDERS, Clock(1000.0)), edited) is FullPass.OUT_OF_BAND
    assert follows(learned(ORDERS, Clock(1000.0)), replace(ORDERS, lunmap=fewer, edited=recorded))


def test_a_held_pass_and_new_settings_ask_for_a_full_pass() -> None:
    """A pass that was held is made again as a whole, and so is one with other settings."""
    memory = learned(ORDERS, Clock(1000.0))
    memory.part(ORDERS)
    memory.held(LunmapdError("x"))
    assert reason(memory, ORDERS) is FullPass.HELD
    memory.adopt(AUDIT, RETRY)
    assert reason(memory, ORDERS) is FullPass.RELOADED


def test_what_is_deferred_is_in_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    """After a full pass each failed object is logged with its reason and the time until its retry."""
    memory = Memory(AUDIT, RETRY, Clock(1000.0))
    memory.part(ORDERS)
    (step, *_) = plan(wanted(), without(LUN_1))
    memory.backoff.tried([Report(step, BUSY)])
    want = compute_desired(LUNMAP, {}, "n1", Observed(), ORDERS.vault)
    with caplog.at_level(logging.DEBUG):
        memory.learn(ORDERS, want, want.objects, Result(Observed(without(LUN_1)), {LUN_1: BUSY}, ()))
    (line,) = lines(caplog.records, Event.BACK_OFF)
    assert line == "1 objects are deferred, the next one for 5.0 s: storage_object l1 for 5.0 s (InUse)"
