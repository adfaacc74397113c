"""When the hook of a group runs, and what is reported of it."""

from math import inf

import pytest
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.hook_plan import (
    BACK_OFF,
    CHECK,
    DEADLINE,
    HOOK_PAUSE,
    SETTLE,
    STATUS_DEADLINE,
    TRY_FOR,
    HookPlan,
    Run,
)
from lunmapd.core.floating.lease import ADOPTED
from lunmapd.core.floating.promotion import HookAction, HookCall, HookResult, Promotion

CALL = HookCall("drbd", "t", "n1,n2", "n1", (("a", "/dev/mapper/a"),))
MORE = replace(CALL, luns=(*CALL.luns, ("b", "/dev/mapper/b")))
STATUS, PROMOTE, DEMOTE = (Run(action) for action in HookAction)
NOW = 1000.0


def answer(plan: HookPlan, status: int | None, now: float = NOW, call: HookCall = CALL) -> None:
    """Let the hook that is due end with a status."""
    due = plan.due(now)
    assert isinstance(due, Run)
    plan.began(due.action, now)
    plan.ended(call, HookResult(status, "why"), now)


def shown(plan: HookPlan, now: float = NOW) -> tuple[Promotion, Reason | None]:
    """Return what is reported."""
    report = plan.report(now)
    return report.promotion, None if report.problem is None else report.problem.reason


@pytest.fixture
def plan() -> HookPlan:
    """Give a plan of storage that is demoted."""
    made = HookPlan()
    made.follow(CALL)
    assert made.due(NOW) == STATUS
    answer(made, 3)
    assert shown(made) == (Promotion.DEMOTED, None)
    return made


@pytest.fixture
def promoted(plan: HookPlan) -> HookPlan:
    """Give a plan of storage that is promoted for 6 s."""
    plan.permit(NOW + 6)
    assert shown(plan) == (Promotion.PROMOTING, None)
    answer(plan, 0)
    assert shown(plan) == (Promotion.PROMOTED, None)
    return plan


def test_nothing_is_asked_before_a_group_has_the_hook() -> None:
    """Nothing is known until the hook has answered."""
    plan = HookPlan()
    assert plan.due(NOW) == inf
    assert not plan.is_asked
    assert shown(plan) == (Promotion.UNKNOWN, None)


def test_demoted_storage_is_asked_at_intervals(plan: HookPlan) -> None:
    """It may become unfit, and fit again; nothing else runs meanwhile."""
    assert plan.due(NOW) == NOW + CHECK
    answer(plan, 4, NOW + CHECK)
    assert shown(plan) == (Promotion.DEMOTED, Reason.NOT_PROMOTABLE)
    plan.began(HookAction.STATUS, NOW + 2 * CHECK)
    assert plan.due(NOW + 2 * CHECK) == inf
    assert plan.limit() == NOW + 2 * CHECK + STATUS_DEADLINE
    plan.ended(CALL, HookResult(3), NOW + 2 * CHECK)
    assert shown(plan) == (Promotion.DEMOTED, None)


def test_a_lease_promotes_and_its_end_demotes(promoted: HookPlan) -> None:
    """Each renewal extends it; after its end the paths have some time to be closed."""
    promoted.permit(NOW + 7)
    assert promoted.due(NOW + 1) == NOW + 7
    assert promoted.due(NOW + 7) == NOW + 7 + SETTLE
    assert promoted.due(NOW + 7 + SETTLE) == DEMOTE
    promoted.began(HookAction.DEMOTE, NOW + 8)
    assert promoted.limit() == NOW + 8 + DEADLINE
    assert shown(promoted, NOW + 8) == (Promotion.DEMOTING, None)
    promoted.ended(CALL, HookResult(0), NOW + 9)
    assert shown(promoted, NOW + 9) == (Promotion.DEMOTED, None)
    assert promoted.due(NOW + 9) == STATUS


def test_a_drop_demotes_at_once(promoted: HookPlan) -> None:
    """Other nodes wait for the end of it."""
    promoted.close()
    assert shown(promoted) == (Promotion.DEMOTING, None)
    answer(promoted, 0)
    assert shown(promoted) == (Promotion.DEMOTED, None)


def test_a_promotion_is_killed_with_its_lease(plan: HookPlan) -> None:
    """It ends at its own deadline, at the end of the lease, or as soon as the lease is given up."""
    plan.permit(NOW + 6)
    plan.began(HookAction.PROMOTE, NOW)
    assert plan.limit() == NOW + 6
    plan.permit(NOW + 99)
    assert plan.limit() == NOW + DEADLINE
    plan.close()
    assert plan.limit() == -inf
    plan.ended(CALL, HookResult(None), NOW + 1)
    assert shown(plan, NOW + 1) == (Promotion.DEMOTING, None)
    answer(plan, 0, NOW + 1)
    assert shown(plan, NOW + 1) == (Promotion.DEMOTED, None)


def test_a_hook_that_succeeds_after_the_drop_is_undone(plan: HookPlan) -> None:
    """It may have ended just before it would have been killed."""
    plan.permit(NOW + 6)
    plan.began(HookAction.PROMOTE, NOW)
    plan.close()
    plan.ended(CALL, HookResult(0), NOW + 1)
    assert plan.due(NOW + 1) == DEMOTE


def test_a_failed_promotion_is_a_problem_for_a_while(plan: HookPlan) -> None:
    """Meanwhile the storage is demoted, and another node may try; the time grows with each failure."""
    now = NOW
    for wait in (*BACK_OFF, BACK_OFF[-1]):
        plan.permit(now + 6)
        answer(plan, 1, now)
        assert shown(plan, now) == (Promotion.UNKNOWN, Reason.HOOK_FAILED)
        assert plan.due(now) == min(now + wait, now + 6)
        plan.close()
        assert shown(plan, now) == (Promotion.UNKNOWN, Reason.HOOK_FAILED)
        answer(plan, 0, now)
        answer(plan, 3, now)
        assert shown(plan, now) == (Promotion.DEMOTED, Reason.HOOK_FAILED)
        now += wait
        assert shown(plan, now) == (Promotion.DEMOTED, None)
    message = plan.report(now - 1).problem
    assert message is not None
    assert message.message.startswith("'drbd promote' failed for a: exit status 1: why; ")


def test_a_hook_may_ask_to_try_again(plan: HookPlan) -> None:
    """The other node may still demote. After some time it is a failure."""
    for second in range(int(TRY_FOR)):
        now = NOW + second * HOOK_PAUSE
        plan.permit(now + 6)
        answer(plan, 75, now)
        assert shown(plan, now) == (Promotion.PROMOTING, None)
        assert plan.due(now) == now + HOOK_PAUSE
    plan.permit(NOW + TRY_FOR + 6)
    answer(plan, 75, NOW + TRY_FOR)
    assert shown(plan, NOW + TRY_FOR) == (Promotion.UNKNOWN, Reason.HOOK_FAILED)


def test_a_hook_that_can_not_demote_is_run_again(promoted: HookPlan) -> None:
    """As long as the storage may be promoted, that is a problem."""
    promoted.close()
    answer(promoted, None)
    assert shown(promoted) == (Promotion.UNKNOWN, Reason.HOOK_FAILED)
    assert promoted.due(NOW) == NOW + HOOK_PAUSE
    answer(promoted, 0, NOW + HOOK_PAUSE)
    assert shown(promoted, NOW + HOOK_PAUSE) == (Promotion.DEMOTED, None)


def test_storage_in_an_unknown_state_is_demoted_when_the_node_drops_the_group() -> None:
    """Nothing runs before: the node may own the group. After a boot that is no problem."""
    plan = HookPlan()
    plan.follow(MORE)
    answer(plan, 1, call=MORE)
    assert shown(plan) == (Promotion.UNKNOWN, None)
    assert plan.due(NOW) == inf
    plan.close()
    assert shown(plan) == (Promotion.DEMOTING, None)
    answer(plan, 1, call=MORE)
    problem = plan.report(NOW).problem
    assert problem is not None
    assert problem.message.startswith("'drbd demote' failed for a and 1 more: ")


def test_a_status_that_fails_later_is_a_problem(plan: HookPlan) -> None:
    """Something has happened to the storage, so it is demoted."""
    answer(plan, None, NOW + CHECK)
    assert shown(plan, NOW + CHECK) == (Promotion.UNKNOWN, Reason.HOOK_FAILED)
    plan.close()
    assert plan.due(NOW + CHECK) == NOW + CHECK + HOOK_PAUSE
    assert plan.due(NOW + CHECK + HOOK_PAUSE) == DEMOTE


def test_promoted_storage_that_is_found_has_a_short_lease() -> None:
    """The daemon was restarted. It renews the lease, or the storage is demoted."""
    plan = HookPlan()
    plan.follow(CALL)
    answer(plan, 0)
    assert shown(plan) == (Promotion.PROMOTED, None)
    assert plan.due(NOW) == NOW + ADOPTED
    assert plan.due(NOW + ADOPTED + SETTLE) == DEMOTE


def test_storage_that_is_promoted_by_hand_is_demoted(plan: HookPlan) -> None:
    """It is the owner's alone."""
    plan.close()
    answer(plan, 0, NOW + CHECK)
    assert plan.due(NOW + CHECK) == DEMOTE


def test_a_lun_that_joins_the_group_is_promoted_too(promoted: HookPlan) -> None:
    """The others are served meanwhile, also if that fails."""
    promoted.follow(MORE)
    assert promoted.due(NOW) == PROMOTE
    answer(promoted, 1, call=MORE)
    assert shown(promoted) == (Promotion.PROMOTED, None)
    assert promoted.due(NOW) == NOW + 6
    promoted.permit(NOW + 20)
    answer(promoted, 0, NOW + CHECK, MORE)
    assert promoted.due(NOW + CHECK) == NOW + 20


def test_a_lun_that_joins_a_demoted_group_is_demoted(plan: HookPlan) -> None:
    """So its closed device is made. A Lun that leaves changes nothing."""
    plan.follow(MORE)
    assert shown(plan) == (Promotion.UNKNOWN, None)
    answer(plan, 0, call=MORE)
    assert shown(plan) == (Promotion.DEMOTED, None)
    plan.follow(CALL)
    assert shown(plan) == (Promotion.DEMOTED, None)


def test_a_group_that_is_forgotten_stays_as_it_is(promoted: HookPlan) -> None:
    """The map gives the storage to nobody any more."""
    promoted.forget()
    assert promoted.due(NOW + 60) == inf
