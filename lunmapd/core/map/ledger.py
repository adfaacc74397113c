"""The ledger: the LUN numbers, port ids and TPG tags that led to something and do not any more.

It is outside the map, so a commit reads it only when an address changes. `addresses/<initiator>` holds an
AddressRecord, `addresses/ids` the IdRecord (docs/znodes.md).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

from msgspec import Struct

from lunmapd.core.base.lunmap import EMPTY_MAP, Lunmap, initiators_of
from lunmapd.core.base.names import MAX_LUN_NUMBER, MAX_TAG
from lunmapd.core.history.changes import Revision, patch_map, readable_change
from lunmapd.core.history.spans import invert_changes
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses
from lunmapd.core.map.target_ids import IdUses, differing_port_ids, differing_tags
from lunmapd.core.map.used_numbers import (
    UNUSED,
    FormerUse,
    UsedNumbers,
    merge_ranges,
    unused_numbers,
    with_ended_uses,
    with_newest_uses,
)

_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_NAMED_LUNS = 32
"""The number of former Luns that the stored record of one initiator names.

A commit that takes one LUN from a group of 100 initiators writes 100 records.
"""
MAX_NAMED_IDS = 500


class AddressRecord(Struct, frozen=True, omit_defaults=True):
    """The LUN numbers that one initiator had, by target."""

    targets: Mapping[str, UsedNumbers] = {}


class IdRecord(Struct, frozen=True, omit_defaults=True):
    """The port ids and the TPG tags of the cluster."""

    port_ids: UsedNumbers = UNUSED
    tpg_tags: UsedNumbers = UNUSED


class Ledger(Struct, frozen=True):
    """The records of some or all initiators, by initiator, and of the ids."""

    initiators: Mapping[str, AddressRecord] = {}
    ids: IdRecord = IdRecord()

    def numbers(self, target: str, initiator: str) -> UsedNumbers:
        """Return the LUN numbers that an initiator had through a target."""
        return self.initiators.get(initiator, AddressRecord()).targets.get(target, UNUSED)


class MapDifference(Struct, frozen=True):
    """The differences of a map from several earlier ones that hosts may have seen, the newest of them last.

    `new` are the LUN addresses that one of these maps has with another serial, or that none has with this
    serial; `left` those that one of them has with another serial than the map, or that the map lacks. The
    ids are new and left in the same sense.
    """

    new: Mapping[LunAddress, Occupant] = {}
    left: Mapping[LunAddress, Occupant] = {}
    new_port_ids: IdUses = {}
    left_port_ids: IdUses = {}
    new_tags: IdUses = {}
    left_tags: IdUses = {}

    @property
    def needs_ids(self) -> bool:
        """Whether port ids or TPG tags differ."""
        return bool(self.new_port_ids or self.left_port_ids or self.new_tags or self.left_tags)


def compare_maps(befores: Sequence[Lunmap], after: Lunmap) -> MapDifference:
    """Return the differences of `after` from all of `befores`."""
    left = _in_any([left_addresses(before, after) for before in befores])
    left_port_ids = _in_any([differing_port_ids(before, after) for before in befores])
    left_tags = _in_any([differing_tags(before, after) for before in befores])
    return MapDifference(
        _new([new_addresses(before, after) for before in befores], left),
        left,
        _new([differing_port_ids(after, before) for before in befores], left_port_ids),
        left_port_ids,
        _new([differing_tags(after, before) for before in befores], left_tags),
        left_tags,
    )


def _new(found: Sequence[Mapping[_K, _V]], left: Mapping[_K, object]) -> dict[_K, _V]:
    every = _in_any(found)
    return {key: every[key] for key in every if key in left or all(key in each for each in found)}


def _in_any(found: Iterable[Mapping[_K, _V]]) -> dict[_K, _V]:
    return {key: value for each in found for key, value in each.items()}


def record_departures(ledger: Ledger, difference: MapDifference, revision: int) -> Ledger:
    """Return the ledger with everything that `revision` leaves."""
    ended: dict[str, dict[str, list[FormerUse]]] = {}
    for (target, initiator, lun), occupant in difference.left.items():
        use = FormerUse(lun, occupant.name, occupant.serial, revision)
        ended.setdefault(initiator, {}).setdefault(target, []).append(use)
    records = {
        initiator: _with_departures(ledger.initiators.get(initiator, AddressRecord()), targets)
        for initiator, targets in ended.items()
    }
    ids = IdRecord(
        _with_ids(ledger.ids.port_ids, difference.left_port_ids, revision),
        _with_ids(ledger.ids.tpg_tags, difference.left_tags, revision),
    )
    return Ledger({**ledger.initiators, **records}, ids)


def _with_departures(record: AddressRecord, ended: Mapping[str, Iterable[FormerUse]]) -> AddressRecord:
    changed = {
        target: with_ended_uses(record.targets.get(target, UNUSED), uses) for target, uses in ended.items()
    }
    return AddressRecord(_in_order({**record.targets, **changed}))


def _in_order(targets: Mapping[str, UsedNumbers]) -> dict[str, UsedNumbers]:
    return {target: targets[target] for target in sorted(targets)}


def _with_ids(numbers: UsedNumbers, left: IdUses, revision: int) -> UsedNumbers:
    if not left:
        return numbers
    ended = [FormerUse(number, use.node, use.identity, revision) for number, use in left.items()]
    return with_ended_uses(numbers, ended)


def merge_ledgers(ledger: Ledger, other: Ledger) -> Ledger:
    """Return the ledger of everything that either of the two has."""
    records = {
        initiator: _merge_records(ledger.initiators.get(initiator, AddressRecord()), record)
        for initiator, record in other.initiators.items()
    }
    ids = IdRecord(
        _merge_ids(ledger.ids.port_ids, other.ids.port_ids),
        _merge_ids(ledger.ids.tpg_tags, other.ids.tpg_tags),
    )
    return Ledger({**ledger.initiators, **records}, ids)


def _merge_ids(numbers: UsedNumbers, other: UsedNumbers) -> UsedNumbers:
    # The default itself is left out of the document.
    return numbers if other == UNUSED else _merge_numbers(numbers, other)


def _merge_records(record: AddressRecord, other: AddressRecord) -> AddressRecord:
    merged = {
        target: _merge_numbers(record.targets.get(target, UNUSED), numbers)
        for target, numbers in other.targets.items()
    }
    return AddressRecord(_in_order({**record.targets, **merged}))


def _merge_numbers(numbers: UsedNumbers, other: UsedNumbers) -> UsedNumbers:
    return with_ended_uses(UsedNumbers((*numbers.used, *other.used), numbers.former), other.former)


def as_stored(record: AddressRecord) -> AddressRecord:
    """Return the record of an initiator with only its newest uses by name."""
    return AddressRecord(with_newest_uses(record.targets, MAX_NAMED_LUNS))


def ids_as_stored(ids: IdRecord) -> IdRecord:
    """Return the record of the ids with only the newest uses by name."""
    return IdRecord(
        *(
            numbers if numbers == UNUSED else with_newest_uses({"": numbers}, MAX_NAMED_IDS)[""]
            for numbers in (ids.port_ids, ids.tpg_tags)
        )
    )


def fold_history(now: Lunmap, newest_first: Iterable[Revision]) -> Ledger:
    """Return the ledger of the revisions, of which the first led to the map `now`.

    The parts of a large commit count as one revision, that of its first part, since no node saw the maps
    between them. An object whose older document can't be decoded counts as absent.
    """
    ledger, after, pending = Ledger(), now, now
    later: Revision | None = None
    for revision in newest_first:
        if later is not None and not 0 < revision.part == later.part - 1:
            ledger = record_departures(ledger, compare_maps((pending,), after), later.revision)
            after = pending
        pending = patch_map(pending, map(readable_change, invert_changes(revision.changes)))
        later = revision
    if later is not None:
        ledger = record_departures(ledger, compare_maps((pending,), after), later.revision)
    return ledger


def unused_lun_numbers(
    ledger: Ledger,
    maps: Iterable[Lunmap],
    target: str,
    initiators: Collection[str],
    first: Iterable[int] = (),
) -> Iterator[int]:
    """Yield the LUN numbers that none of the initiators ever had through a target.

    Those of `first` come first, then the others in ascending order. Numbers of `maps` are left out too. 0
    comes last, since LIO itself answers for a missing LUN 0. Every verb that chooses a LUN number takes the
    first one.
    """
    records = [ledger.numbers(target, initiator).used for initiator in initiators]
    used = UsedNumbers(merge_ranges(each for ranges in records for each in ranges))
    present = _numbers_in(maps, target, frozenset(initiators))
    return unused_numbers(dict.fromkeys((*first, *range(1, MAX_LUN_NUMBER + 1), 0)), used, present)


def unused_tags(ids: IdRecord, maps: Iterable[Lunmap]) -> Iterator[int]:
    """Yield the TPG tags, in ascending order, that no node and no floating group ever had."""
    taken = {tag for lunmap in maps for tag in differing_tags(lunmap, EMPTY_MAP)}
    return unused_numbers(range(1, MAX_TAG + 1), ids.tpg_tags, taken)


def _numbers_in(maps: Iterable[Lunmap], target: str, initiators: AbstractSet[str]) -> set[int]:
    return {
        entry.lun
        for lunmap in maps
        for lun in lunmap.luns.values()
        for entry in lun.maps
        if entry.target == target and not initiators.isdisjoint(initiators_of(lunmap, entry))
    }
