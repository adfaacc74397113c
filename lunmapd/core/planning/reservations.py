"""Which reservation records a node restores after a reboot, and which it only reports. Pure.

A record is restored into the mapped LUN that it was made through, if the map still asks for that mapped LUN
with the same serial. A record that has no such mapped LUN must not stay in the kernel's memory: the kernel
would restore it, unnoticed, as soon as somebody maps the same LUN number again.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.reservations import ReservationRecord
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Plan, Step

_NOT_OFFERED = ("emulate_pr", "0")


def keep_reservations(steps: Plan, desired: lio_objects.Objects, observed: Observed) -> Plan:
    """Return the steps with the mapped LUNs whose reservation records each of them keeps.

    Mapped LUNs with a record are created before the others: until its holder has its mapped LUN, a
    reservation is not in effect, and other initiators could write. `observed` are the objects before the
    steps; it has no records in a partial pass.
    """
    kept = tuple(_kept(step, desired, observed) for step in steps)
    places = {record.place for record in observed.reservations.records if not record.live}
    return _recorded_first(kept, places) if places else kept


def _recorded_first(steps: Plan, places: AbstractSet[lio_objects.Key]) -> Plan:
    """Return the steps with the creations of these mapped LUNs before those of all others."""
    numbers = [number for number, step in enumerate(steps) if _maps(step)]
    order = sorted(numbers, key=lambda number: lio_objects.key_of(steps[number].item) not in places)
    moved = dict(zip(numbers, order, strict=True))
    return tuple(steps[moved.get(number, number)] for number in range(len(steps)))


def _maps(step: Step) -> bool:
    return step.action is Action.CREATE and isinstance(step.item, lio_objects.MappedLun)


def makes_recorded(steps: Plan, records: Iterable[ReservationRecord]) -> bool:
    """Return whether a step makes a storage object for which there are records."""
    serials = {record.serial for record in records}
    return any(
        step.action is Action.CREATE and getattr(step.item, "serial", None) in serials for step in steps
    )


def _kept(step: Step, desired: lio_objects.Objects, observed: Observed) -> Step:
    match step:
        case Step(action=Action.CREATE, item=lio_objects.StorageObject(name=name, serial=serial)):
            places = (record.place for record in observed.reservations.records if record.serial == serial)
            return replace(step, keeps=tuple(place for place in places if _leads_to(desired, place, name)))
        case Step(action=Action.DELETE, item=lio_objects.MappedLun(storage_object=name)):
            key = lio_objects.key_of(step.item)
            is_same = _serial(desired, name) == _serial(observed.objects, name)
            stays = is_same and _leads_to(desired, key, name)
            return replace(step, keeps=(key,)) if stays else step
        case _:
            return step


def _leads_to(objects: lio_objects.Objects, place: lio_objects.Key, name: str) -> bool:
    item = objects.get(place)
    return isinstance(item, lio_objects.MappedLun) and item.storage_object == name


def _serial(objects: lio_objects.Objects, name: str) -> str:
    item = objects.get(("storage_object", name))
    return item.serial if isinstance(item, lio_objects.StorageObject) else ""


def find_unrestored(desired: lio_objects.Objects, observed: Observed) -> tuple[ReservationRecord, ...]:
    """Return the records that are not in effect: the kernel does not have them in memory.

    Records of other tools are left out, those that wait for a storage object that the map asks for, and those
    of Luns that offer no reservations. A record may wait for its mapped LUN: until that can be made, others
    use the Lun without the reservation.
    """
    absent = [record for record in observed.reservations.records if not record.live]
    if not absent:
        return ()
    backings = [item for item in desired.values() if isinstance(item, lio_objects.StorageObject)]
    serials = {item.serial for item in backings}
    silent = {item.serial for item in backings if _NOT_OFFERED in item.attributes}
    return tuple(
        record
        for record in absent
        if record.serial not in silent
        and (record.storage_object or (record.serial not in serials and ("target", record.iqn) in desired))
    )


def find_ended(before: Observed, outcomes: Iterable[StepOutcome]) -> Iterator[ReservationRecord]:
    """Yield the records that were live before a pass, and that ended because it removed their mapped LUN."""
    if not before.reservations.records:
        return
    done = (outcome.step for outcome in outcomes if outcome.failure is None)
    removed = {
        (step.item.iqn, step.item.tag, step.item.initiator, step.item.storage_object)
        for step in done
        if step.action is Action.DELETE and isinstance(step.item, lio_objects.MappedLun) and not step.keeps
    }
    for record in before.reservations.records:
        if record.live and (record.iqn, record.tag, record.initiator, record.storage_object) in removed:
            yield record


def find_restored(before: Observed, after: Observed) -> Iterator[ReservationRecord]:
    """Yield the records that the kernel has in memory after a pass, and had only on disk before it."""
    absent = {_identity(record) for record in before.reservations.records if not record.live}
    return (record for record in after.reservations.records if record.live and _identity(record) in absent)


def _identity(record: ReservationRecord) -> tuple[str, str, lio_objects.Key]:
    return record.serial, record.key, record.place
