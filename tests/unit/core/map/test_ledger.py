"""The ledger: what it names, what it forgets, and the numbers that are offered instead."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, Group, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.names import MAX_LUN_NUMBER
from lunmapd.core.history.changes import Change, Revision, as_raw, diff_maps
from lunmapd.core.map.ledger import (
    MAX_NAMED_IDS,
    MAX_NAMED_LUNS,
    AddressRecord,
    IdRecord,
    Ledger,
    as_stored,
    compare_maps,
    fold_history,
    ids_as_stored,
    merge_ledgers,
    record_departures,
    unused_lun_numbers,
    unused_tags,
)
from lunmapd.core.map.used_numbers import UNUSED, FormerUse, UsedNumbers
from support.floating_map import FLOATING, GOLD
from support.small_map import LUN, MAP, H, T

OTHER = "iqn.2026-01.org.example:other"


def mapped(*numbers: int) -> Lunmap:
    """Return the small map with one Lun for each of these LUN numbers."""
    luns = {
        f"l{number}": Lun(LUN.backing, f"{number:032x}", LUN.size, maps=(Map(T, number, H),))
        for number in numbers
    }
    return replace(MAP, luns=luns)


def left(before: Lunmap, after: Lunmap, revision: int = 7, ledger: Ledger | None = None) -> Ledger:
    """Return the ledger after this commit."""
    return record_departures(ledger or Ledger(), compare_maps((before,), after), revision)


def test_a_number_that_is_left_is_named_with_its_revision() -> None:
    """The ledger has the number, the Lun and the revision that ended it; numbers in use are not in it."""
    record = left(mapped(3, 4), mapped(4)).initiators[H]
    assert record == AddressRecord({T: UsedNumbers(((3, 3),), (FormerUse(3, "l3", f"{3:032x}", 7),))})


def test_only_the_newest_uses_are_stored_by_name() -> None:
    """All numbers stay known; of more than the limit the oldest lose their names in the tree."""
    numbers = range(1, MAX_NAMED_LUNS + 11)
    ledger = left(mapped(1, 2), EMPTY_MAP, 1)
    whole = left(mapped(*numbers[2:]), EMPTY_MAP, 2, ledger).initiators[H]
    assert len(whole.targets[T].former) == len(numbers)
    stored = as_stored(whole).targets[T]
    assert stored.used == ((1, MAX_NAMED_LUNS + 10),)
    assert len(stored.former) == MAX_NAMED_LUNS
    assert stored.last_use(1) is None
    last = stored.last_use(MAX_NAMED_LUNS + 10)
    assert last is not None
    assert last.revision == 2


def test_only_the_newest_ids_are_stored_by_name() -> None:
    """The same holds for port ids and tags; a record without any is left out."""
    many = UsedNumbers(
        ((1, MAX_NAMED_IDS + 1),),
        tuple(FormerUse(each, "n", "n", each) for each in range(1, MAX_NAMED_IDS + 2)),
    )
    stored = ids_as_stored(IdRecord(many))
    assert stored.tpg_tags is UNUSED
    assert (len(stored.port_ids.former), stored.port_ids.last_use(1)) == (MAX_NAMED_IDS, None)
    assert stored.port_ids.used == many.used


def test_the_last_use_of_a_number_counts() -> None:
    """A number that was used again is named with the Lun that had it last."""
    first = left(mapped(3), EMPTY_MAP, 1)
    again = replace(MAP, luns={"new": replace(LUN, serial="9" * 32)})
    last = left(again, EMPTY_MAP, 5, first).numbers(T, H).last_use(3)
    assert last == FormerUse(3, "new", "9" * 32, 5)


def test_ids_of_tpgs_are_remembered() -> None:
    """A port id is known by target and node, a tag by node."""
    ids = left(MAP, replace(MAP, targets={}, nodes={"n2": MAP.nodes["n2"]})).ids
    assert ids == IdRecord(
        UsedNumbers(((1, 1), (7, 7)), (FormerUse(1, "n1", f"{T} n1", 7), FormerUse(7, "n2", f"{T} n2", 7))),
        UsedNumbers(((1, 1),), (FormerUse(1, "n1", "n1", 7),)),
    )


def test_an_id_that_is_not_chosen_yet_is_no_id() -> None:
    """A target whose port id is still to be filled in leaves none."""
    bare = replace(MAP, targets={T: Target({"n1": PortalGroup()})}, nodes={"n1": Node(1)})
    assert left(bare, replace(bare, targets={})).ids == IdRecord()


def test_what_two_maps_had_is_left() -> None:
    """Of a map and its out-of-band edits, numbers of either one that the next map lacks are left."""
    difference = compare_maps((mapped(3), mapped(4)), mapped(5))
    assert {address.lun for address in difference.left} == {3, 4}
    assert {address.lun for address in difference.new} == {5}
    assert not compare_maps((mapped(3), mapped(4)), mapped(4)).new
    other = replace(MAP, luns={"other": replace(LUN, serial="9" * 32)})
    assert set(compare_maps((mapped(3), other), mapped(3)).new) == {(T, H, 3)}
    assert not difference.needs_ids


def test_records_of_both_ledgers_are_merged() -> None:
    """A merged ledger has the numbers and the ids of both."""
    one, two = left(mapped(3), EMPTY_MAP, 1), left(mapped(5), EMPTY_MAP, 2)
    merged = merge_ledgers(one, two)
    assert merged.numbers(T, H).used == ((3, 3), (5, 5))
    assert merged.ids == merge_ledgers(two, one).ids
    assert merge_ledgers(one, Ledger()) == one


def test_an_older_document_that_can_not_be_decoded_counts_as_absent() -> None:
    """A history with a document of no known form still gives the rest of the ledger."""
    changes = (
        Change("luns/odd", as_raw(b'{"backing":1}')),
        Change("luns/l3", as_raw(None), as_raw(None)),
    )
    assert fold_history(MAP, [Revision(2, "", "", "", "", changes)]) == Ledger()
    assert fold_history(MAP, []) == Ledger()


def test_a_number_that_came_and_went_in_the_history_is_known() -> None:
    """The revisions are followed back from the present map, and each has what it ended."""
    maps = (EMPTY_MAP, mapped(3), mapped(4), EMPTY_MAP)
    newest_first = [
        Revision(number, "", "", "", "", diff_maps(*pair)) for number, pair in enumerate(pairwise(maps), 1)
    ][::-1]
    used = fold_history(EMPTY_MAP, newest_first).initiators[H].targets[T]
    assert (used.used, [former.revision for former in used.former]) == (((3, 4),), [2, 3])


def unused(ledger: Ledger, lunmap: Lunmap, *initiators: str) -> int | None:
    """Return the first unused number for these initiators."""
    return next(unused_lun_numbers(ledger, (lunmap,), T, initiators), None)


def test_the_lowest_unused_number_comes_first_and_0_last() -> None:
    """Numbers of the maps and of the ledger are left out; 0 is the last choice."""
    ledger = left(mapped(1, 2), EMPTY_MAP)
    assert unused(ledger, mapped(3), H) == 4
    assert unused(ledger, mapped(3), OTHER) == 1
    assert next(unused_lun_numbers(Ledger(), (MAP,), "another", (H,))) == 1
    every = UsedNumbers(((1, MAX_LUN_NUMBER),))
    assert unused(Ledger({H: AddressRecord({T: every})}), EMPTY_MAP, H) == 0


def test_no_number_is_offered_when_all_were_used() -> None:
    """An initiator that had every number through a target has no unused one."""
    every = Ledger({H: AddressRecord({T: UsedNumbers(((0, MAX_LUN_NUMBER),))})})
    assert unused(every, EMPTY_MAP, H) is None


def test_a_number_for_a_group_is_unused_for_all_members() -> None:
    """A number that any member had is not offered, nor one that a map gives to another group with it."""
    ledger = left(mapped(1), EMPTY_MAP)
    both = replace(
        MAP,
        luns={"a": replace(LUN, maps=(Map(T, 2, group="g"),))},
        groups={"g": Group((OTHER,))},
    )
    assert unused(ledger, both, H, OTHER) == 3


@pytest.mark.parametrize("number", ["3", None])
def test_only_numbers_are_among_the_used(number: object) -> None:
    """Anything else than a number was never used."""
    assert number not in UsedNumbers(((1, 5),))


def test_a_tag_is_unused_by_nodes_and_floating_groups() -> None:
    """The nodes have the tags 1 to 3, the group has 4, and 5 was used once."""
    target = Target({}, floating={"gold": replace(GOLD, tpg_tag=4)})
    used = IdRecord(tpg_tags=UsedNumbers(((5, 5),)))
    assert next(unused_tags(used, (FLOATING, replace(FLOATING, targets={"t": target})))) == 6
