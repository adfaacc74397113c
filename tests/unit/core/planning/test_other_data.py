"""What may be created at a LUN number that led to another Lun."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Allowance
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.planning.decide import Comparison, Decision, PassInput, decide, impacts
from lunmapd.core.planning.former import Former
from lunmapd.core.planning.other_data import (
    EMPTY_SECONDS,
    AddressRules,
    Reuse,
    allowed_reuse,
    replaces_other_data,
)
from lunmapd.core.planning.plan import Action, Step, plan
from lunmapd.core.secrets.sealing import Vault

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
FIVE = LunAddress(T, H, 5)
HELD = {FIVE: (Former("x", "x", 2),)}
NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


def objects(*mapped: tuple[str, int], tag: int = 1) -> dict[lio_objects.Key, lio_objects.DesiredObject]:
    """Return a target with the Luns x and y, some of them mapped; the serial of a Lun is its name."""
    luns = [
        item
        for name in ("x", "y")
        for item in (
            lio_objects.StorageObject(name, "iblock", name, 0, name),
            lio_objects.TpgLun(T, tag, name),
        )
    ]
    maps = (lio_objects.MappedLun(T, tag, H, number, name, write_protect=False) for name, number in mapped)
    first = (lio_objects.Target(T), lio_objects.Tpg(T, tag), lio_objects.NodeAcl(T, tag, H))
    return lio_objects.by_key([*first, *luns, *maps])


def decided(
    observed: lio_objects.Objects,
    desired: lio_objects.DesiredObjects,
    rules: AddressRules,
    **settings: object,
) -> Decision:
    """Return the decision of a full pass."""
    given = PassInput("n1", 3, Lunmap(), {}, Vault("c"), addresses=rules, **settings)  # type: ignore[arg-type]
    steps = plan(desired, observed)
    seen = Observed(observed, sessions=(IscsiSession(T, 1, H, LOGGED_IN),))
    comparison = Comparison(Lunmap(), Desired(desired, {}), desired, seen, steps, observed)
    decision = decide(given, comparison, None, {}, {})
    shown = {
        (step.action, lio_objects.key_of(step.item)): impact
        for step, impact in impacts(given, comparison, {})
    }
    for key, disruption in decision.disruptions.items():
        assert shown[key].now is disruption
    return decision


def done(decision: Decision) -> list[tuple[Action, str, int]]:
    """Return the steps on mapped LUNs: action, Lun and number."""
    return [
        (step.action, step.item.storage_object, step.item.lun)
        for step in decision.steps
        if isinstance(step.item, lio_objects.MappedLun)
    ]


def test_a_number_that_a_host_may_hold_is_held_with_any_limit() -> None:
    """The old Lun stays under it, and the message names all that decides, and the ways out."""
    for rules in (AddressRules(HELD), AddressRules(HELD, Reuse(frozenset("z")))):
        decision = decided(objects(("x", 5)), objects(("y", 5)), rules, allow=Disruption.OTHER_DATA)
        assert decision.steps == ()
        failure = decision.held["mapped_lun", T, 1, H, 5]
        assert failure.reason == "Held"
        for word in (H, "number 5", "'x' (serial x)", "revision 2", "logs out", "another number", "--lun y"):
            assert word in failure.message


def test_a_renumbering_is_held_as_a_whole() -> None:
    """X keeps its number while y can't have it, and is not created under its new one either."""
    decision = decided(objects(("x", 5)), objects(("y", 5), ("x", 7)), AddressRules(HELD))
    assert done(decision) == []


def test_removing_is_never_hindered() -> None:
    """Nor is creating at another number, or the same Lun again."""
    rules = AddressRules(HELD)
    assert done(decided(objects(("x", 5)), objects(), rules)) == [(Action.DELETE, "x", 5)]
    assert done(decided(objects(), objects(("y", 6)), rules)) == [(Action.CREATE, "y", 6)]
    assert done(decided(objects(), objects(("x", 5)), rules)) == [(Action.CREATE, "x", 5)]


@pytest.mark.parametrize("reuse", [Reuse(all=True), Reuse(frozenset("y"))])
def test_an_override_lets_the_number_become_empty_first(reuse: Reuse) -> None:
    """The deletion is executed at once, the creation when the number was empty for long enough."""
    rules = AddressRules(HELD, reuse)
    first = decided(objects(("x", 5)), objects(("y", 5)), rules)
    assert done(first) == [(Action.DELETE, "x", 5)]
    assert first.held["mapped_lun", T, 1, H, 5].reason == "LeftEmpty"
    assert first.emptying == {("mapped_lun", T, 1, H, 5): EMPTY_SECONDS}
    for empty in (0.0, 29.0):
        waiting = decided(objects(), objects(("y", 5)), replace(rules, emptied={FIVE: empty}))
        assert (done(waiting), list(waiting.emptying.values())) == ([], [EMPTY_SECONDS - empty])
    last = decided(objects(), objects(("y", 5)), replace(rules, emptied={FIVE: EMPTY_SECONDS}))
    assert done(last) == [(Action.CREATE, "y", 5)]
    assert last.disruptions[Action.CREATE, ("mapped_lun", T, 1, H, 5)] is Disruption.OTHER_DATA


def test_an_override_is_not_enough_if_it_can_not_be_recorded() -> None:
    """A crash could make the node forget what a host may hold."""
    rules = AddressRules(HELD, Reuse(all=True), can_record=False)
    decision = decided(objects(("x", 5)), objects(("y", 5)), rules)
    assert decision.steps == ()
    assert "can't record" in decision.held["mapped_lun", T, 1, H, 5].message


def test_the_limit_on_disruption_still_counts() -> None:
    """An override for one Lun raises nothing else: the old number stays while a host is logged in."""
    rules = AddressRules(HELD, Reuse(frozenset("y")))
    decision = decided(objects(("x", 5)), objects(("y", 5)), rules, allow=Disruption.UNIT_ATTENTION)
    assert decision.steps == ()
    assert "data-unreachable" in decision.held["mapped_lun", T, 1, H, 5].message


def test_no_pass_gives_a_number_to_another_lun_at_once() -> None:
    """Where no host may hold anything, the next pass creates it, after it has observed who is logged in.

    The same Lun is made anew in one pass.
    """
    decision = decided(objects(("x", 5)), objects(("y", 5)), AddressRules())
    assert done(decision) == [(Action.DELETE, "x", 5)]
    assert (decision.held["mapped_lun", T, 1, H, 5].reason, list(decision.emptying.values())) == (
        "LeftEmpty",
        [0.0],
    )
    assert done(decided(objects(), objects(("y", 5)), AddressRules())) == [(Action.CREATE, "y", 5)]
    retagged = decided(objects(("x", 5)), objects(("x", 5), tag=2), AddressRules())
    assert done(retagged) == [(Action.DELETE, "x", 5), (Action.CREATE, "x", 5)]


def test_a_partial_pass_is_not_enough_for_another_lun_at_a_number() -> None:
    """Only a full one observes who is logged in."""
    for rules, before, after, other in (
        (AddressRules(HELD), objects(), objects(("y", 5)), True),
        (AddressRules(), objects(("x", 5)), objects(("y", 5)), True),
        (AddressRules(HELD), objects(), objects(("x", 5)), False),
        (AddressRules(), objects(), objects(("y", 5)), False),
    ):
        assert replaces_other_data(plan(after, before), after, before, rules) is other


def test_an_unknown_serial_is_another_one() -> None:
    """A mapped LUN whose storage object is not desired does not occur in a plan; it would be held."""
    item = lio_objects.MappedLun(T, 1, H, 5, "gone", write_protect=False)
    assert AddressRules(HELD).others(Step(Action.CREATE, item, ""), {}) == HELD[FIVE]
    assert AddressRules(HELD).others(Step(Action.DELETE, item, ""), {}) == ()


@pytest.mark.parametrize(
    ("allowance", "reuse"),
    [
        (None, Reuse()),
        (Allowance("data-unreachable", LATER), Reuse()),
        (Allowance("other-data", NOW), Reuse()),
        (Allowance("other-data", LATER, ("n2",)), Reuse()),
        (Allowance("other-data", LATER), Reuse(all=True)),
        (Allowance("other-data", LATER, ("n1",), ("y",)), Reuse(frozenset("y"))),
    ],
)
def test_an_override_of_the_class_allows_what_it_names(allowance: Allowance | None, reuse: Reuse) -> None:
    """All Luns without a limit; it ends at its time, and concerns its nodes."""
    assert allowed_reuse(allowance, "n1", NOW) == reuse
