"""The steps of a plan, their order and disruption, and what waits for a failure."""

import msgspec
import pytest

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import keep_observed
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.outcome import FailureTracker, StepOutcome, failures_of
from lunmapd.core.planning.plan import Action, Step, disruption, plan
from support.small_map import LUN, MAP, H, T

TPG = lio_objects.Tpg(T, 1)
ACL = lio_objects.NodeAcl(T, 1, H)
FAILURE = Failure(Reason.IN_USE, "busy")


def test_leftovers_are_removed_even_when_all_is_frozen() -> None:
    """Half-made things never stay, since rtslib fails on them everywhere."""
    left = lio_objects.Leftover("hba", "core/iblock_10000")
    observed = {lio_objects.key_of(left): left}
    assert [step.item for step in plan(keep_observed({}, observed, {"nodes/n1"}, "n1"), observed)] == [left]


def test_a_replaced_storage_object_takes_its_luns_along() -> None:
    """A changed path removes mapped LUN, LUN and storage object in this order, and makes them in reverse."""
    observed = project_map(MAP, "n1")
    moved = msgspec.structs.replace(LUN, backing=FileIO("/srv/b"))
    steps = plan(project_map(msgspec.structs.replace(MAP, luns={"a": moved}), "n1"), observed)
    assert [(step.action, type(step.item)) for step in steps] == [
        (Action.DELETE, lio_objects.MappedLun),
        (Action.DELETE, lio_objects.TpgLun),
        (Action.DELETE, lio_objects.StorageObject),
        (Action.CREATE, lio_objects.StorageObject),
        (Action.CREATE, lio_objects.TpgLun),
        (Action.CREATE, lio_objects.MappedLun),
    ]
    assert steps[2].reason == "replaced: path /srv/a -> /srv/b"
    assert "depends on" in steps[0].reason


def test_sessions_end_before_their_lun_0_is_taken() -> None:
    """LIO answers for an unmapped LUN 0, so a LUN 0 is removed after its TPG is closed.

    Other LUNs go first.
    """
    maps = [lio_objects.MappedLun(T, 1, H, number, f"l{number}", write_protect=False) for number in (0, 1)]
    other = lio_objects.MappedLun(T, 2, H, 0, "l0", write_protect=False)
    observed = lio_objects.by_key([*maps, other, lio_objects.Enabled(T, 1, 1), lio_objects.Enabled(T, 2, 2)])
    steps = plan(lio_objects.by_key([lio_objects.Enabled(T, 2, 2)]), observed)
    assert [step.item for step in steps] == [maps[1], other, lio_objects.Enabled(T, 1, 1), maps[0]]


def test_settings_change_in_place() -> None:
    """A changed attribute is one update that names the difference."""
    observed = lio_objects.by_key([lio_objects.Target(T), lio_objects.Tpg(T, 1, (("authentication", "1"),))])
    desired = lio_objects.by_key([lio_objects.Target(T), lio_objects.Tpg(T, 1, (("authentication", "0"),))])
    (step,) = plan(desired, observed)
    assert step.action is Action.UPDATE
    assert step.reason == "attributes {authentication=1} -> {authentication=0}"
    assert str(step) == f"update tpg {T} 1: {step.reason}"


@pytest.mark.parametrize(
    ("action", "item", "expected"),
    [
        (Action.DELETE, lio_objects.NodeAcl(T, 1, H), Disruption.SESSION_DROP),
        (Action.DELETE, lio_objects.MappedLun(T, 1, H, 0, "a", write_protect=False), Disruption.PATH_LOSS),
        (
            Action.CREATE,
            lio_objects.MappedLun(T, 1, H, 0, "a", write_protect=False),
            Disruption.UNIT_ATTENTION,
        ),
        (Action.UPDATE, lio_objects.TpgLun(T, 1, "a", 1), Disruption.UNIT_ATTENTION),
        (Action.CREATE, lio_objects.Target(T), Disruption.NONE),
    ],
)
def test_disruption(action: Action, item: lio_objects.Object, expected: Disruption) -> None:
    """Each step has the class of the worst effect on an initiator."""
    assert disruption(Step(action, item, "why")) is expected


def test_what_stands_on_a_failure_waits() -> None:
    """After a failed creation its children wait, transitively, and others go on."""
    ledger = FailureTracker()
    ledger.record(Step(Action.CREATE, TPG, "x"))
    acl = Step(Action.CREATE, ACL, "x")
    assert ledger.waits(acl) == Failure(
        Reason.WAITING, f"waits for {lio_objects.show_key(lio_objects.key_of(TPG))}"
    )
    ledger.record(acl)
    mapped = Step(Action.CREATE, lio_objects.MappedLun(T, 1, H, 0, "a", write_protect=False), "x")
    assert ledger.waits(mapped) == Failure(
        Reason.WAITING, f"waits for {lio_objects.show_key(lio_objects.key_of(ACL))}"
    )
    assert ledger.waits(Step(Action.CREATE, lio_objects.Target(T + "2"), "x")) is None


def test_what_a_failed_removal_stands_on_waits() -> None:
    """After a failed removal nothing below it is removed, though it may still be used."""
    ledger = FailureTracker()
    ledger.record(Step(Action.DELETE, ACL, "x"))
    assert ledger.waits(Step(Action.DELETE, TPG, "x")) is not None
    assert ledger.waits(Step(Action.CREATE, lio_objects.Portal(T, 1, "10.0.0.1:3260"), "x")) is None


@pytest.mark.parametrize(("number", "waits"), [(0, True), (1, False)])
def test_a_lun_0_stays_as_long_as_its_tpg_is_open(number: int, *, waits: bool) -> None:
    """If the TPG's disabling failed or is held, an initiator may still be logged in."""
    ledger = FailureTracker()
    ledger.record(Step(Action.DELETE, lio_objects.Enabled(T, 1, 1), "x"))
    mapped = lio_objects.MappedLun(T, 1, H, number, "a", write_protect=False)
    assert (ledger.waits(Step(Action.DELETE, mapped, "x")) is not None) is waits
    assert (
        ledger.waits(Step(Action.DELETE, lio_objects.MappedLun(T, 2, H, 0, "a", write_protect=False), "x"))
        is None
    )


def test_failures_keep_the_first_of_each_object() -> None:
    """An object that fails twice in a plan is reported once, with the first failure."""
    steps = [Step(Action.DELETE, ACL, "x"), Step(Action.CREATE, ACL, "x"), Step(Action.CREATE, TPG, "x")]
    reports = [
        StepOutcome(steps[0], FAILURE),
        StepOutcome(steps[1], Failure(Reason.WAITING, "")),
        StepOutcome(steps[2]),
    ]
    assert failures_of(reports) == {lio_objects.key_of(ACL): FAILURE}


def test_kinds_have_their_own_keys_and_luns() -> None:
    """A key names kind and place, and only what serves a Lun has its name."""
    items: list[lio_objects.Object] = [
        lio_objects.Leftover("hba", "core/x"),
        lio_objects.Portal(T, 1, "10.0.0.1:3260"),
        lio_objects.TpgLun(T, 1, "a"),
    ]
    assert [lio_objects.show_key(lio_objects.key_of(item)) for item in items] == [
        "leftover core/x",
        f"portal {T} 1 10.0.0.1:3260",
        f"lun {T} 1 a",
    ]
    assert [lio_objects.lun_served_by(item) for item in items] == [None, None, "a"]
