"""The disruption limit: steps that a node does without an override."""

import pytest

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.history.changes import Allowance
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import IscsiSession, Observed
from lunmapd.core.planning.disruption_limit import allowed_disruption, limit_disruption
from lunmapd.core.planning.impact import AccessPaths
from lunmapd.core.planning.plan import Action, objects_after, plan
from lunmapd.core.planning.withhold import Permitted, Withheld, withhold_steps

T = "iqn.2026-01.org.example:t"
H, OTHER = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
NOW = "2026-01-01T00:00:00Z"
LATER, BEFORE = "2026-01-01T00:00:01Z", "2025-12-31T23:59:59Z"
TPG = lio_objects.Tpg(T, 1)
ENABLED = lio_objects.Enabled(T, 1, 1)
THERE = (lio_objects.Target(T), TPG, ENABLED)


def _lun(name: str, serial: str, *initiators: str) -> list[lio_objects.DesiredObject]:
    maps = [lio_objects.MappedLun(T, 1, initiator, 0, name, write_protect=False) for initiator in initiators]
    acls = [lio_objects.NodeAcl(T, 1, initiator) for initiator in initiators]
    return [
        lio_objects.StorageObject(name, "iblock", f"/dev/{name}", 0, serial),
        lio_objects.TpgLun(T, 1, name),
        *acls,
        *maps,
    ]


def _permit(
    observed: list[lio_objects.DesiredObject],
    wanted: list[lio_objects.DesiredObject],
    allow: Disruption,
    *logged_in: str,
) -> tuple[Permitted, lio_objects.Objects]:
    """Return the permitted steps, and the objects after them."""
    sessions = tuple(IscsiSession(T, 1, initiator, "LOGGED_IN") for initiator in logged_in)
    before, want = lio_objects.by_key(observed), lio_objects.by_key(wanted)
    ways = AccessPaths(Lunmap(), "n1", want)
    permitted = limit_disruption(plan(want, before), Observed(before, sessions=sessions), ways, allow)
    return permitted, objects_after(before, permitted.steps)


def test_what_would_disturb_is_held_and_all_else_is_done() -> None:
    """An unmapping waits while the initiator is logged in, with the objects below it; another Lun is made."""
    old, new = _lun("a", "1", H), _lun("b", "2", OTHER)
    permitted, after = _permit([*THERE, *old], [*THERE, *new], Disruption.SESSION_DROP, H)
    assert after == lio_objects.by_key([*THERE, *old, *new])
    held = permitted.held["mapped_lun", T, 1, H, 0]
    assert held.reason == "Held"
    assert held.message.startswith(f"data-unreachable for {H}, logged in now")
    assert {failure.reason for name, failure in permitted.held.items() if name[0] != "mapped_lun"} == {
        "Held",
        "Waiting",
    }


@pytest.mark.parametrize("allow", list(Disruption))
def test_who_is_not_logged_in_can_not_be_disturbed(allow: Disruption) -> None:
    """With nobody logged in the whole plan is applied, at any limit."""
    wanted = [*THERE, *_lun("a", "2", H)]
    assert _permit([*THERE, *_lun("a", "1", H)], wanted, allow)[1] == lio_objects.by_key(wanted)


def test_a_class_that_is_allowed_is_carried_out() -> None:
    """The usual limit permits the whole plan."""
    wanted = [*THERE, *_lun("a", "2", H)]
    permitted, after = _permit([*THERE, *_lun("a", "1", H)], wanted, Disruption.DATA_UNREACHABLE, H)
    assert (after, permitted.held) == (lio_objects.by_key(wanted), {})


def test_nothing_is_removed_that_could_not_be_made_again() -> None:
    """A Lun that must be made anew stays whole for those that are not logged in, too."""
    before = [*THERE, *_lun("a", "1", H, OTHER)]
    permitted, after = _permit(before, [*THERE, *_lun("a", "2", H, OTHER)], Disruption.SESSION_DROP, H)
    assert after == lio_objects.by_key(before)
    assert permitted.held["mapped_lun", T, 1, OTHER, 0].reason == "Waiting"


def test_isolation_is_never_held() -> None:
    """The disabled TPGs of an isolated node are never held, since the admin's setting asks for them."""
    before = [*THERE, *_lun("a", "1", H)]
    observed, want = lio_objects.by_key(before), lio_objects.by_key(before)
    closed = {name: item for name, item in want.items() if item != ENABLED}
    ways = AccessPaths(Lunmap(), "n1", want)
    steps = plan(closed, observed)
    seen = Observed(observed, sessions=(IscsiSession(T, 1, H, "LOGGED_IN"),))
    assert limit_disruption(steps, seen, ways, Disruption.NONE) == Permitted(steps)
    drained = AccessPaths(Lunmap(), "n1", closed)
    assert limit_disruption(steps, seen, drained, Disruption.NONE).steps == ()


def test_many_initiators_are_named_in_part() -> None:
    """A condition stays readable."""
    hosts = [f"{H}{number}" for number in range(7)]
    permitted, _ = _permit(
        [*THERE, *_lun("a", "1", *hosts)], [lio_objects.Target(T), TPG], Disruption.NONE, *hosts
    )
    messages = [failure.message for failure in permitted.held.values()]
    assert any(f"{H}4 and 2 more" in message for message in messages)


def test_a_held_mapping_does_not_stop_a_step_of_a_lower_class() -> None:
    """With unit attentions held, a LUN is mapped for initiators without a session only."""
    permitted, after = _permit(list(THERE), [*THERE, *_lun("a", "1", H, OTHER)], Disruption.NONE, H)
    assert ("mapped_lun", T, 1, OTHER, 0) in after
    assert ("mapped_lun", T, 1, H, 0) not in after
    assert permitted.held.keys() == {("mapped_lun", T, 1, H, 0)}


def _numbered(number: int, name: str = "a") -> list[lio_objects.DesiredObject]:
    return [
        lio_objects.MappedLun(T, 1, H, number, name, write_protect=False)
        if isinstance(item, lio_objects.MappedLun)
        else item
        for item in _lun(name, name, H)
    ]


def test_a_lun_gets_another_number_whole_or_not_at_all() -> None:
    """While the old number is held, the new one is not made, so that undoing the change needs no step."""
    before = [*THERE, *_numbered(5)]
    permitted, after = _permit(before, [*THERE, *_numbered(7)], Disruption.UNIT_ATTENTION, H)
    assert after == lio_objects.by_key(before)
    assert {key[-1]: failure.reason for key, failure in permitted.held.items()} == {5: "Held", 7: "Waiting"}


def test_an_old_number_stays_where_the_new_one_is_held() -> None:
    """A Lun whose new LUN number can't be created keeps the old one."""
    steps = plan(lio_objects.by_key([*THERE, *_numbered(7)]), lio_objects.by_key([*THERE, *_numbered(5)]))
    withheld: Withheld = {(Action.CREATE, ("mapped_lun", T, 1, H, 7)): Failure(Reason.HELD, "not yet")}
    permitted = withhold_steps(steps, withheld)
    assert permitted.steps == ()
    assert permitted.held["mapped_lun", T, 1, H, 5].reason == "Waiting"


def test_two_luns_swap_numbers_whole_or_not_at_all() -> None:
    """If one of the two can't be created, both keep their numbers."""
    before = [*THERE, *_numbered(5), *_numbered(7, "b")]
    want = [*THERE, *_numbered(7), *_numbered(5, "b")]
    steps = plan(lio_objects.by_key(want), lio_objects.by_key(before))
    withheld: Withheld = {(Action.CREATE, ("mapped_lun", T, 1, H, 5)): Failure(Reason.HELD, "not yet")}
    assert withhold_steps(steps, withheld).steps == ()


@pytest.mark.parametrize(
    ("allowance", "expected"),
    [
        (None, Disruption.PATH_LOSS),
        (Allowance("session-drop", LATER), Disruption.SESSION_DROP),
        (Allowance("session-drop", LATER, ("n1", "n2")), Disruption.SESSION_DROP),
        (Allowance("session-drop", LATER, ("n2",)), Disruption.PATH_LOSS),
        (Allowance("session-drop", BEFORE), Disruption.PATH_LOSS),
        (Allowance("session-drop", "soon"), Disruption.PATH_LOSS),
        (Allowance("session-drop", "2027-01-01"), Disruption.PATH_LOSS),
        (Allowance("none", LATER), Disruption.PATH_LOSS),
        (Allowance("everything", LATER), Disruption.PATH_LOSS),
        (Allowance("other-data", LATER), Disruption.OTHER_DATA),
        (Allowance("other-data", LATER, luns=("db1",)), Disruption.PATH_LOSS),
    ],
)
def test_an_override_allows_more_for_a_while(allowance: Allowance | None, expected: Disruption) -> None:
    """An override applies to its nodes until it ends, never lowers the limit.

    An unknown class allows nothing.
    """
    assert allowed_disruption(Disruption.PATH_LOSS, allowance, "n1", NOW) is expected
