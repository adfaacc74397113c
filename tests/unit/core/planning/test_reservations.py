"""Which reservation records a node restores, leaves on the disk, or reports."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.reservations import ReservationFiles, ReservationRecord
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.core.planning.reservations import (
    find_ended,
    find_restored,
    find_unrestored,
    keep_reservations,
    makes_recorded,
)

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
SERIAL = "5" * 32
DB = lio_objects.StorageObject("db", "fileio", "/srv/db", 1 << 20, SERIAL)
MAPPED = lio_objects.MappedLun(T, 1, H, 4, "db", write_protect=False)
RECORD = ReservationRecord(SERIAL, "db", H, "0xabc", T, 1, 4, holder=True)
ON_DISK = replace(RECORD, live=False)
DESIRED = lio_objects.by_key((lio_objects.Target(T), DB, MAPPED))
MOVED = lio_objects.by_key((lio_objects.Target(T), DB, replace(MAPPED, lun=7)))


def observed(objects: lio_objects.Objects, *records: ReservationRecord) -> Observed:
    """Return an observation with these reservation records."""
    return Observed(objects, reservations=ReservationFiles(records))


def keeps(step: Step, desired: lio_objects.Objects, before: Observed) -> tuple[lio_objects.Key, ...]:
    """Return the mapped LUNs whose records the step keeps."""
    ((kept),) = keep_reservations((step,), desired, before)
    return kept.keeps


def test_a_storage_object_is_made_with_the_records_of_its_mapped_luns() -> None:
    """A record is restored only into the mapped LUN, with the serial, through which it was made."""
    create = Step(Action.CREATE, DB, "in the map")
    before = observed({}, replace(ON_DISK, storage_object=""))
    assert keeps(create, DESIRED, before) == (RECORD.place,)
    assert keeps(create, MOVED, before) == ()
    assert keeps(create, DESIRED, observed({}, replace(ON_DISK, serial="6" * 32))) == ()
    assert keeps(create, {**DESIRED, RECORD.place: replace(MAPPED, storage_object="x")}, before) == ()


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        ({}, ()),
        (MOVED, ()),
        (DESIRED, (RECORD.place,)),
        (DESIRED | lio_objects.by_key([replace(DB, serial="6" * 32)]), ()),
    ],
)
def test_only_a_mapped_lun_that_comes_back_keeps_its_records(
    desired: lio_objects.Objects, expected: tuple[lio_objects.Key, ...]
) -> None:
    """A mapped LUN that is replaced does; one that is removed, or leads to another serial, does not."""
    assert keeps(Step(Action.DELETE, MAPPED, "x"), desired, observed(DESIRED, RECORD)) == expected


def test_other_steps_are_unchanged() -> None:
    """Only these two kinds of steps concern records."""
    steps = (Step(Action.CREATE, MAPPED, "x"), Step(Action.DELETE, DB, "x"))
    assert keep_reservations(steps, DESIRED, observed({}, RECORD)) == steps


def test_a_partial_pass_leaves_recorded_storage_objects_to_a_full_one() -> None:
    """A full pass knows the records."""
    create, delete = (Step(action, DB, "x") for action in (Action.CREATE, Action.DELETE))
    assert makes_recorded((create,), (RECORD,))
    assert not makes_recorded((create,), (replace(RECORD, serial="6" * 32),))
    assert not makes_recorded((delete, Step(Action.CREATE, MAPPED, "x")), (RECORD,))


@pytest.mark.parametrize(
    ("desired", "record", "expected"),
    [
        (DESIRED, RECORD, False),
        (DESIRED, ON_DISK, True),
        (MOVED, ON_DISK, True),
        ({}, ON_DISK, True),
        (lio_objects.by_key([lio_objects.Target(T)]), replace(ON_DISK, storage_object=""), True),
        ({}, replace(ON_DISK, storage_object=""), False),
        (DESIRED, replace(ON_DISK, storage_object=""), False),
    ],
    ids=[
        "live",
        "mapped without it",
        "another LUN number",
        "no longer in the map",
        "a Lun that was deleted",
        "of another tool",
        "its storage object is still missing",
    ],
)
def test_a_record_that_will_not_be_restored_is_found(
    desired: lio_objects.Objects, record: ReservationRecord, *, expected: bool
) -> None:
    """One that still waits for its storage object, or belongs to another tool, is not."""
    assert bool(find_unrestored(desired, observed(DESIRED, record))) is expected


def test_a_lun_that_offers_no_reservations_misses_none() -> None:
    """The map has turned them off; the file may still have some."""
    desired = DESIRED | lio_objects.by_key([replace(DB, attributes=(("emulate_pr", "0"),))])
    assert find_unrestored(desired, observed(desired, ON_DISK)) == ()


def test_a_record_that_waits_for_its_mapped_lun_is_not_in_effect() -> None:
    """Such as one whose ACL can't be made: other initiators can write meanwhile."""
    assert find_unrestored(DESIRED, observed(lio_objects.by_key([DB]), ON_DISK)) == (ON_DISK,)


def test_mapped_luns_with_a_record_are_created_first() -> None:
    """All other steps stay where they are."""
    others = [replace(MAPPED, initiator=f"iqn.2026-01.org.example:a{number}") for number in range(2)]
    portal = lio_objects.Portal(T, 1, "10.0.0.1:3260")
    items: tuple[lio_objects.Object, ...] = (DB, *others, MAPPED, portal)
    steps = tuple(Step(Action.CREATE, item, "x") for item in items)
    kept = keep_reservations(steps, DESIRED, observed({}, replace(ON_DISK, storage_object="")))
    assert [step.item for step in kept] == [DB, MAPPED, *others, portal]
    assert keep_reservations(steps, DESIRED, observed({}, RECORD))[1:] == steps[1:]


def test_a_record_that_ended_with_its_mapped_lun_is_found() -> None:
    """The mapped LUN was removed for good, and the kernel had the registration."""
    done = StepOutcome(Step(Action.DELETE, MAPPED, "x"))
    kept = StepOutcome(replace(done.step, keeps=(RECORD.place,)))
    failed = replace(done, failure=Failure(Reason.IN_USE, "x"))
    other = StepOutcome(Step(Action.DELETE, replace(MAPPED, initiator="iqn.2026-01.org.example:x"), "x"))
    before = observed(DESIRED, RECORD)
    assert list(find_ended(before, (done, StepOutcome(Step(Action.DELETE, DB, "x"))))) == [RECORD]
    assert [*find_ended(before, (kept, failed, other)), *find_ended(observed({}), (done,))] == []
    assert list(find_ended(observed(DESIRED, ON_DISK), (done,))) == []


def test_a_record_that_a_pass_has_restored_is_found() -> None:
    """It was on the disk only before."""
    before, after = observed({}, replace(ON_DISK, storage_object="")), observed(DESIRED, RECORD)
    assert list(find_restored(before, after)) == [RECORD]
    assert [*find_restored(after, after), *find_restored(before, before)] == []


def test_a_record_is_shown_with_its_place() -> None:
    """An admin sees who registered what, and where."""
    assert (
        str(RECORD)
        == f"key 0xabc of {H}, the holder of the reservation, as LUN 4 of {T}, TPG 1, on the Lun db"
    )
    assert f"on the Lun with serial {SERIAL}" in str(replace(RECORD, storage_object="", holder=False))
