"""The steps of a plan, their order and disruption, and what waits for a failure."""

import msgspec
import pytest
from unit.core.small import LUN, MAP, H, T

from lunmapd.core import lio
from lunmapd.core.backings import FileIO
from lunmapd.core.desire import keep
from lunmapd.core.outcome import WAITING, Failure, Ledger, Report, failures
from lunmapd.core.plan import Action, Disruption, Step, disruption, plan
from lunmapd.core.project import project

TPG = lio.Tpg(T, 1)
ACL = lio.NodeAcl(T, 1, H)
FAILURE = Failure("InUse", "busy")


def test_leftovers_are_removed_even_when_all_is_frozen() -> None:
    """Half-made things never stay, since rtslib fails on them everywhere."""
    left = lio.Leftover("hba", "core/iblock_10000")
    observed = lio.keyed([left])
    assert [step.item for step in plan(keep({}, observed, {"nodes/n1"}, "n1"), observed)] == [left]


def test_a_replaced_storage_object_takes_its_luns_along() -> None:
    """A changed path removes mapped LUN, LUN and storage object in this order, and makes them again in reverse."""
    observed = project(MAP, "n1")
    moved = msgspec.structs.replace(LUN, backing=FileIO("/srv/b"))
    steps = plan(project(msgspec.structs.replace(MAP, luns={"a": moved}), "n1"), observed)
    assert [(step.action, type(step.item)) for step in steps] == [
        (Action.DELETE, lio.MappedLun),
        (Action.DELETE, lio.TpgLun),
        (Action.DELETE, lio.StorageObject),
        (Action.CREATE, lio.StorageObject),
        (Action.CREATE, lio.TpgLun),
        (Action.CREATE, lio.MappedLun),
    ]
    assert steps[2].reason == "replaced: path /srv/a -> /srv/b"
    assert "stands on" in steps[0].reason


def test_sessions_end_before_their_lun_0_is_taken() -> None:
    """LIO answers for a LUN 0 that is not mapped. So one goes after its TPG is closed; other LUNs go first, as always."""
    maps = [lio.MappedLun(T, 1, H, number, f"l{number}", write_protect=False) for number in (0, 1)]
    other = lio.MappedLun(T, 2, H, 0, "l0", write_protect=False)
    observed = lio.keyed([*maps, other, lio.Enabled(T, 1, 1), lio.Enabled(T, 2, 2)])
    steps = plan(lio.keyed([lio.Enabled(T, 2, 2)]), observed)
    assert [step.item for step in steps] == [maps[1], other, lio.Enabled(T, 1, 1), maps[0]]


def test_settings_change_in_place() -> None:
    """A changed attribute is one update that names the difference."""
    observed = lio.keyed([lio.Target(T), lio.Tpg(T, 1, (("authentication", "1"),))])
    desired = lio.keyed([lio.Target(T), lio.Tpg(T, 1, (("authentication", "0"),))])
    (step,) = plan(desired, observed)
    assert step.action is Action.UPDATE
    assert step.reason == "attributes {authentication=1} -> {authentication=0}"
    assert str(step) == f"update tpg {T} 1: {step.reason}"


@pytest.mark.parametrize(
    ("action", "item", "expected"),
    [
        (Action.DELETE, lio.NodeAcl(T, 1, H), Disruption.SESSION_DROP),
        (Action.DELETE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), Disruption.PATH_LOSS),
        (Action.CREATE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), Disruption.UNIT_ATTENTION),
        (Action.UPDATE, lio.TpgLun(T, 1, "a", 1), Disruption.UNIT_ATTENTION),
        (Action.CREATE, lio.Target(T), Disruption.NONE),
    ],
)
def test_disruption(action: Action, item: lio.Object, expected: Disruption) -> None:
    """Each step says what an initiator may notice at worst."""
    assert disruption(Step(action, item, "why")) is expected


def test_what_stands_on_a_failure_waits() -> None:
    """After a failed creation its children wait, transitively, and others go on."""
    ledger = Ledger()
    ledger.record(Step(Action.CREATE, TPG, "x"))
    acl = Step(Action.CREATE, ACL, "x")
    assert ledger.waits(acl) == Failure(WAITING, f"waits for {lio.show_key(lio.key(TPG))}")
    ledger.record(acl)
    mapped = Step(Action.CREATE, lio.MappedLun(T, 1, H, 0, "a", write_protect=False), "x")
    assert ledger.waits(mapped) == Failure(WAITING, f"waits for {lio.show_key(lio.key(ACL))}")
    assert ledger.waits(Step(Action.CREATE, lio.Target(T + "2"), "x")) is None


def test_what_a_failed_removal_stands_on_waits() -> None:
    """After a failed removal nothing below it is removed, though it may still be used."""
    ledger = Ledger()
    ledger.record(Step(Action.DELETE, ACL, "x"))
    assert ledger.waits(Step(Action.DELETE, TPG, "x")) is not None
    assert ledger.waits(Step(Action.CREATE, lio.Portal(T, 1, "10.0.0.1:3260"), "x")) is None


@pytest.mark.parametrize(("number", "waits"), [(0, True), (1, False)])
def test_a_lun_0_stays_as_long_as_its_tpg_is_open(number: int, *, waits: bool) -> None:
    """Where closing failed, or is held, somebody may still be logged in."""
    ledger = Ledger()
    ledger.record(Step(Action.DELETE, lio.Enabled(T, 1, 1), "x"))
    mapped = lio.MappedLun(T, 1, H, number, "a", write_protect=False)
    assert (ledger.waits(Step(Action.DELETE, mapped, "x")) is not None) is waits
    assert ledger.waits(Step(Action.DELETE, lio.MappedLun(T, 2, H, 0, "a", write_protect=False), "x")) is None


def test_failures_keep_the_first_of_each_object() -> None:
    """An object that fails twice in a plan is reported once, with the first failure."""
    steps = [Step(Action.DELETE, ACL, "x"), Step(Action.CREATE, ACL, "x"), Step(Action.CREATE, TPG, "x")]
    reports = [Report(steps[0], FAILURE), Report(steps[1], Failure(WAITING, "")), Report(steps[2])]
    assert failures(reports) == {lio.key(ACL): FAILURE}


def test_kinds_have_their_own_keys_and_luns() -> None:
    """A key names kind and place, and only what serves a Lun has its name."""
    items: list[lio.Object] = [
        lio.Leftover("hba", "core/x"),
        lio.Portal(T, 1, "10.0.0.1:3260"),
        lio.TpgLun(T, 1, "a"),
    ]
    assert [lio.show_key(lio.key(item)) for item in items] == [
        "leftover core/x",
        f"portal {T} 1 10.0.0.1:3260",
        f"lun {T} 1 a",
    ]
    assert [lio.lun_of(item) for item in items] == [None, None, "a"]
