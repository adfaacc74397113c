"""Drift: changes outside lunmapd, and the reaction to them."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.password import Secret
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DefaultGroup
from lunmapd.core.node.governed import MARK, TPG_ATTRIBUTES
from lunmapd.core.planning.drift import CLASSES, DriftBaseline, update_baseline, withhold_drift
from lunmapd.core.planning.plan import Action, objects_after, plan
from lunmapd.core.planning.withhold import Permitted

T = "iqn.2026-01.org.example:t"
H, OTHER = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
ALL = frozenset(CLASSES)
TPG = lio_objects.Tpg(T, 1, TPG_ATTRIBUTES, (("TargetAlias", MARK),))
PORTAL = lio_objects.Portal(T, 1, "10.0.0.1:3260")
ENABLED = lio_objects.Enabled(T, 1, 1)
STORAGE = lio_objects.StorageObject("a", "iblock", "/dev/a", 0, "1", (("emulate_pr", "1"),))
LUN = lio_objects.TpgLun(T, 1, "a")
ACL = lio_objects.NodeAcl(T, 1, H)
MAPPED = lio_objects.MappedLun(T, 1, H, 0, "a", write_protect=False)
WANTED = lio_objects.by_key([STORAGE, lio_objects.Target(T), TPG, LUN, ACL, MAPPED, PORTAL, ENABLED])
KNOWN = DriftBaseline(WANTED)
EXTRA = lio_objects.MappedLun(T, 1, H, 5, "a", write_protect=False)


def changed(
    *items: lio_objects.DesiredObject, gone: tuple[lio_objects.DesiredObject, ...] = ()
) -> lio_objects.DesiredObjects:
    """Return the desired objects after a manual change."""
    removed = {lio_objects.key_of(item) for item in gone}
    return {name: item for name, item in WANTED.items() if name not in removed} | lio_objects.by_key([*items])


def found(
    observed: lio_objects.Objects,
    desired: lio_objects.DesiredObjects = WANTED,
    known: DriftBaseline | None = KNOWN,
    reported: frozenset[str] = ALL,
) -> Permitted:
    """Judge the plan between the two."""
    return withhold_drift(plan(desired, observed), desired, observed, known, reported)


def tpg(**attributes: str) -> lio_objects.Tpg:
    """Return the TPG with other attributes."""
    return replace(
        TPG, attributes=tuple((name, attributes.get(name, value)) for name, value in TPG_ATTRIBUTES)
    )


HANDS = {
    "changed": changed(replace(STORAGE, attributes=(("emulate_pr", "0"),))),
    "on standby": changed(replace(STORAGE, default_group=DefaultGroup("standby"))),
    "explicit": changed(replace(STORAGE, default_group=DefaultGroup(access_type="Implicit and Explicit"))),
    "removed": changed(gone=(MAPPED,)),
    "added": changed(EXTRA),
    "made anew": changed(replace(MAPPED, storage_object="b")),
    "opened at another number": changed(replace(ENABLED, port_id=7)),
}


@pytest.mark.parametrize("observed", HANDS.values(), ids=HANDS)
def test_what_a_hand_did_is_repaired_and_marked(observed: lio_objects.Objects) -> None:
    """Every repairing step is marked as repair, and nothing is left out."""
    permitted = found(observed, reported=frozenset())
    assert objects_after(observed, permitted.steps) == WANTED
    assert permitted.held == {}
    assert all(step.drift for step in permitted.steps)


@pytest.mark.parametrize("observed", HANDS.values(), ids=HANDS)
def test_what_a_hand_did_is_left_and_told(observed: lio_objects.Objects) -> None:
    """With `report` nothing is done, and the object is named with its change."""
    permitted = found(observed)
    assert permitted.steps == ()
    (failure,) = (failure for failure in permitted.held.values() if failure.reason == Reason.DRIFTED)
    assert " outside lunmapd; " in failure.message
    assert failure.message.endswith("left so (drift: report)")


def test_the_message_says_what_was_done() -> None:
    """The message shows desired and observed values, no secret, and only the settings that differ."""

    def told(observed: lio_objects.Objects) -> str:
        return next(iter(found(observed).held.values())).message.partition(" outside lunmapd")[0]

    password = lio_objects.ChapCredentials("u", Secret("a password"))
    assert told(HANDS["changed"]) == "changed (attributes {emulate_pr=1} -> {emulate_pr=0})"
    assert told(HANDS["on standby"]) == (
        "changed (default_group optimized, access type Implicit -> standby, access type Implicit)"
    )
    assert told(HANDS["removed"]) == "removed"
    assert told(HANDS["added"]) == "added"
    assert told(HANDS["made anew"]) == "changed (storage_object a -> b)"
    assert told(changed(replace(ACL, credentials=password))) == "changed (credentials)"


@pytest.mark.parametrize("name", ["changed", "removed", "added"])
def test_each_class_is_judged_by_itself(name: str) -> None:
    """With `report` for another class only, this one is repaired."""
    concerned = {"changed": "storage_object", "removed": "mapped_lun", "added": "mapped_lun"}[name]
    assert objects_after(HANDS[name], found(HANDS[name], reported=ALL - {concerned}).steps) == WANTED


def test_a_change_of_the_map_is_no_drift() -> None:
    """Every change of the map is applied and marked as no drift, also where a manual change was made."""
    more = lio_objects.MappedLun(T, 1, H, 9, "a", write_protect=True)
    desired = {name: item for name, item in WANTED.items() if item != PORTAL} | lio_objects.by_key(
        [replace(MAPPED, write_protect=True), more]
    )
    for observed in (WANTED, changed(replace(PORTAL, iser=True), gone=(MAPPED,))):
        permitted = found(observed, desired)
        assert objects_after(observed, permitted.steps) == desired
        assert not any(step.drift for step in permitted.steps)


@pytest.mark.parametrize(
    "known", [None, DriftBaseline(WANTED, frozenset({lio_objects.key_of(MAPPED), lio_objects.key_of(EXTRA)}))]
)
def test_what_was_never_seen_as_wanted_has_not_drifted(known: DriftBaseline | None) -> None:
    """Without an earlier pass, or after a failure in it, a difference is no drift."""
    for observed in (HANDS["removed"], HANDS["added"], HANDS["made anew"]):
        assert objects_after(observed, found(observed, known=known).steps) == WANTED


def test_halves_and_what_has_our_mark_are_always_removed() -> None:
    """A leftover blocks other objects, and only lunmapd marks a TPG as its own."""
    left = lio_objects.Leftover("lun", "iscsi/x/lun_7")
    marked = changed(lio_objects.Tpg(T, 9), lio_objects.Portal(T, 9, "10.0.0.9:3260"))
    observed = {**marked, lio_objects.key_of(left): left}
    permitted = found(observed)
    assert objects_after(observed, permitted.steps) == WANTED
    assert not any(step.drift for step in permitted.steps)


def test_what_stands_on_a_drifted_object_waits_and_stays() -> None:
    """A storage object that was made another one keeps its LUN and mappings, and gets no new ones."""
    observed = changed(replace(STORAGE, path="/dev/b"))
    second = lio_objects.MappedLun(T, 1, H, 9, "a", write_protect=False)
    permitted = found(observed, {**WANTED, lio_objects.key_of(second): second})
    assert permitted.steps == ()
    assert {name[0]: failure.reason for name, failure in permitted.held.items()} == {
        "storage_object": Reason.DRIFTED,
        "lun": Reason.WAITING,
        "mapped_lun": Reason.WAITING,
    }


def test_a_storage_object_is_not_replaced_under_an_acl_that_is_left() -> None:
    """Its mapping would be deleted and, since that waits for the ACL, not created again."""
    observed = changed(replace(ACL, credentials=lio_objects.ChapCredentials("u", Secret("another password"))))
    anew = {**WANTED, lio_objects.key_of(STORAGE): replace(STORAGE, serial="2")}
    permitted = found(observed, anew)
    assert permitted.steps == ()
    assert {name[0]: failure.reason for name, failure in permitted.held.items()} == {
        "acl": Reason.DRIFTED,
        "mapped_lun": Reason.WAITING,
        "lun": Reason.WAITING,
        "storage_object": Reason.WAITING,
    }


def test_a_tpg_with_a_changed_setting_bears_what_the_map_adds() -> None:
    """A target does not wait for a TPG parameter with reported drift."""
    observed = changed(replace(TPG, parameters=(*TPG.parameters, ("ImmediateData", "No"))))
    acl = lio_objects.NodeAcl(T, 1, OTHER)
    permitted = found(observed, {**WANTED, lio_objects.key_of(acl): acl})
    assert [step.item for step in permitted.steps] == [acl]
    assert permitted.held.keys() == {lio_objects.key_of(TPG)}


def test_what_was_added_goes_with_what_it_stands_on() -> None:
    """A Lun that the map removes or recreates takes along objects that were added to it."""
    without = {name: item for name, item in WANTED.items() if item not in {STORAGE, LUN, MAPPED}}
    anew = {**WANTED, lio_objects.key_of(STORAGE): replace(STORAGE, serial="2")}
    for desired in (without, anew):
        permitted = found(HANDS["added"], desired)
        assert objects_after(HANDS["added"], permitted.steps) == desired
        assert permitted.held == {}


def test_what_is_repaired_takes_along_what_stands_on_it() -> None:
    """With ACLs repaired and mappings reported, a foreign ACL is removed with its mapping."""
    stranger, mapped = lio_objects.NodeAcl(T, 1, OTHER), replace(EXTRA, initiator=OTHER)
    observed = changed(stranger, mapped)
    permitted = found(observed, reported=frozenset({"mapped_lun"}))
    assert (objects_after(observed, permitted.steps), permitted.held) == (WANTED, {})
    assert [step.drift for step in permitted.steps] == [True, True]


@pytest.mark.parametrize(
    "attributes",
    [
        {"generate_node_acls": "1"},
        {"generate_node_acls": "1", "cache_dynamic_acls": "1", "demo_mode_write_protect": "0"},
        {"authentication": "1", "demo_mode_discovery": "1"},
        {"prod_mode_write_protect": "0"},
    ],
)
def test_what_opens_a_tpg_to_everybody_is_always_closed(attributes: dict[str, str]) -> None:
    """With any setting no login without an ACL is possible, and the change is logged as a repair."""
    observed = changed(tpg(**attributes))
    permitted = found(observed)
    assert (objects_after(observed, permitted.steps), permitted.held) == (WANTED, {})
    assert [step.drift for step in permitted.steps] == [True]


def test_of_an_opened_tpg_only_that_is_closed() -> None:
    """Other drift of the TPG stays, and is reported."""
    observed = changed(replace(tpg(generate_node_acls="1", tpg_enabled_sendtargets="0"), parameters=()))
    permitted = found(observed)
    (step,) = permitted.steps
    assert step.reason == "attributes {generate_node_acls=1} -> {generate_node_acls=0}"
    assert step.item == replace(tpg(tpg_enabled_sendtargets="0"), parameters=())
    assert permitted.held[lio_objects.key_of(TPG)].reason == Reason.DRIFTED
    assert found(objects_after(observed, permitted.steps)).steps == ()


def test_discovery_is_never_left_open() -> None:
    """Removed discovery credentials are repaired; changed ones are reported."""
    asks = lio_objects.DiscoveryAuth(lio_objects.ChapCredentials("u", Secret("a password")))
    desired = {**WANTED, lio_objects.DISCOVERY_AUTH: asks}
    known = DriftBaseline(desired)
    permitted = found(WANTED, desired, known)
    assert [(step.action, step.drift) for step in permitted.steps] == [(Action.CREATE, True)]
    other = {
        **WANTED,
        lio_objects.DISCOVERY_AUTH: lio_objects.DiscoveryAuth(
            lio_objects.ChapCredentials("u", Secret("another one"))
        ),
    }
    assert found(other, desired, known).held.keys() == {lio_objects.DISCOVERY_AUTH}


def test_what_is_known_is_what_was_seen_as_wanted() -> None:
    """After a pass that left a difference, that object is open; all others are known, and shared."""
    observed = changed(replace(PORTAL, iser=True), EXTRA, gone=(MAPPED,))
    known = update_baseline(None, WANTED, observed, plan(WANTED, observed))
    assert known.desired == WANTED
    assert known.open == {lio_objects.key_of(PORTAL), lio_objects.key_of(EXTRA), lio_objects.key_of(MAPPED)}
    assert known.desired[lio_objects.key_of(ACL)] is observed[lio_objects.key_of(ACL)]


def test_drift_stays_drift_until_it_is_settled() -> None:
    """Drift that is left, and its dependants, are at the next pass as known as before."""
    observed = changed(replace(STORAGE, path="/dev/b"), EXTRA)
    known = update_baseline(KNOWN, WANTED, observed, plan(WANTED, observed))
    assert known == KNOWN


def test_an_acl_never_decides_for_itself_who_needs_chap() -> None:
    """Its own setting is taken back, also where drift of ACLs is only reported; the rest is left so."""
    altered = lio_objects.ChapCredentials("u", Secret("another one"))
    observed = changed(replace(ACL, credentials=altered, overrides_authentication=True))
    permitted = found(observed)
    assert [step.item for step in permitted.steps] == [replace(ACL, credentials=altered)]
    assert permitted.held[lio_objects.key_of(ACL)].reason == Reason.DRIFTED
