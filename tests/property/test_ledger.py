"""Laws of the ledger: nothing that was used is forgotten, and nothing that was chosen is given twice."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import decode, encode
from lunmapd.core.base.lunmap import (
    EMPTY_MAP,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
    initiators_of,
)
from lunmapd.core.history.changes import Revision, diff_maps
from lunmapd.core.map.addresses import LunAddress, occupants_of
from lunmapd.core.map.fill_in import fill_in
from lunmapd.core.map.ledger import (
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
)
from lunmapd.core.map.reuse import find_reused_addresses
from lunmapd.core.map.used_numbers import FormerUse, UsedNumbers, unused_numbers, with_ended_uses
from support.strategies import INITIATORS, LUNS, NODES, TARGETS


@st.composite
def small_maps(draw: st.DrawFn) -> Lunmap:
    """Draw a map of few Luns, hosts and LUN numbers, so that commits often meet numbers of earlier ones."""
    targets = {
        iqn: Target({node: PortalGroup(10 * index + tag) for tag, node in enumerate(served, 1)})
        for index, iqn in enumerate(TARGETS)
        if (served := draw(st.sampled_from(((), ("n1",), ("n2",), ("n1", "n2")))))
    }
    group = draw(st.sampled_from((INITIATORS[:1], INITIATORS[1:], INITIATORS)))
    who = (Map("", 0, group="hosts"), Map("", 0, INITIATORS[0]), Map("", 0, INITIATORS[1]))
    luns, taken = {}, set[LunAddress]()
    for name in draw(st.sets(st.sampled_from(LUNS[:3]))):
        target, number = draw(st.sampled_from(TARGETS)), draw(st.integers(0, 4))
        entry = draw(st.sampled_from(who))
        members = group if entry.group else (entry.initiator,)
        addresses = {LunAddress(target, member, number) for member in members}
        if target not in targets or addresses & taken:
            continue
        taken |= addresses
        serial = draw(st.sampled_from("12")) * 8 + f"{LUNS.index(name):024x}"
        luns[name] = Lun(Block(f"/dev/{name}"), serial, maps=(replace(entry, target=target, lun=number),))
    nodes = {node: Node(tag) for tag, node in enumerate(draw(st.permutations(NODES)), 1)}
    initiators = {iqn: Initiator() for iqn in INITIATORS}
    return Lunmap(luns, targets, initiators, {"hosts": Group(group)}, nodes)


MAPS = st.lists(small_maps(), max_size=5)


def ledger_of(maps: Sequence[Lunmap]) -> Ledger:
    """Return the ledger after these maps were committed one after the other, from revision 1 on."""
    ledger, before = Ledger(), EMPTY_MAP
    for revision, after in enumerate(maps, 1):
        ledger = record_departures(ledger, compare_maps((before,), after), revision)
        before = after
    return ledger


def revisions_of(maps: Sequence[Lunmap], parts: Sequence[int] = ()) -> list[Revision]:
    """Return the revisions of these maps, oldest first; `parts` are their numbers in large commits."""
    befores = [EMPTY_MAP, *maps]
    numbers = [*parts, *([0] * len(maps))]
    return [
        Revision(number, "", "", "", "", diff_maps(befores[number - 1], after), part=numbers[number - 1])
        for number, after in enumerate(maps, 1)
    ]


def readable(ledger: Ledger) -> Ledger:
    """Return the ledger with only those initiators that a record is written for."""
    return replace(
        ledger, initiators={name: each for name, each in ledger.initiators.items() if each.targets}
    )


@given(MAPS)
def test_the_ledger_is_the_fold_of_all_revisions(maps: list[Lunmap]) -> None:
    """A ledger kept commit by commit equals the one that a tree without it gets of its history."""
    folded = fold_history(maps[-1] if maps else EMPTY_MAP, reversed(revisions_of(maps)))
    assert readable(folded) == readable(ledger_of(maps))


@given(MAPS)
def test_merging_adds_nothing_that_is_there(maps: list[Lunmap]) -> None:
    """A ledger merged with a part of itself, in either order, stays as it is: a rebuild may be repeated."""
    whole, part = ledger_of(maps), ledger_of(maps[: len(maps) // 2])
    assert merge_ledgers(whole, part) == merge_ledgers(part, whole) == merge_ledgers(whole, whole) == whole


@given(MAPS)
def test_parts_of_a_large_commit_count_as_one_revision(maps: list[Lunmap]) -> None:
    """What only existed between two parts was seen by no node, and is not in the ledger."""
    if not maps:
        return
    revisions = revisions_of(maps, range(1, len(maps) + 1))
    assert readable(fold_history(maps[-1], reversed(revisions))) == Ledger()


@given(MAPS)
def test_every_number_that_was_used_is_known(maps: list[Lunmap]) -> None:
    """A LUN number of an earlier map is used in the newest one, or it is in the ledger."""
    ledger = ledger_of(maps)
    last = maps[-1] if maps else EMPTY_MAP
    for lunmap in maps:
        for target, initiator, lun in occupants_of(lunmap, lunmap.luns):
            now = LunAddress(target, initiator, lun) in occupants_of(last, last.luns)
            assert now or lun in ledger.numbers(target, initiator)


@given(st.data(), MAPS)
def test_a_chosen_number_was_never_used(data: st.DataObject, maps: list[Lunmap]) -> None:
    """No LUN number that the product chooses was ever given to one of the initiators through the target."""
    ever: set[LunAddress] = set()
    done: list[Lunmap] = []
    for lunmap in maps:
        done.append(lunmap)
        ever |= occupants_of(lunmap, lunmap.luns).keys()
        hosts = data.draw(st.sets(st.sampled_from(INITIATORS), min_size=1))
        target = data.draw(st.sampled_from(TARGETS))
        chosen = next(unused_lun_numbers(ledger_of(done), (lunmap,), target, hosts))
        given_now = {LunAddress(target, host, chosen) for host in hosts}
        assert given_now.isdisjoint(ever)
        name = data.draw(st.sampled_from(["none", *lunmap.luns]))
        if name != "none":
            entries = (*lunmap.luns[name].maps, *(Map(target, chosen, host) for host in sorted(hosts)))
            done.append(replace(lunmap, luns={**lunmap.luns, name: replace(lunmap.luns[name], maps=entries)}))
            ever |= given_now


@given(MAPS)
def test_a_chosen_port_id_was_never_used(maps: list[Lunmap]) -> None:
    """No port id that the product chooses was ever that of another target or node."""
    ever: dict[int, str] = {}
    done: list[Lunmap] = []
    for lunmap in maps:
        bare = {
            iqn: replace(
                target, nodes={name: replace(group, port_id=0) for name, group in target.nodes.items()}
            )
            for iqn, target in lunmap.targets.items()
        }
        before = done[-1] if done else EMPTY_MAP
        used = ledger_of(done).ids.port_ids
        filled = fill_in(replace(lunmap, targets=bare), before, lambda: "1" * 32, used)
        kept = {group.port_id for target in before.targets.values() for group in target.nodes.values()}
        for iqn, target in filled.targets.items():
            for name, group in target.nodes.items():
                assert group.port_id in kept or group.port_id not in ever
                assert ever.setdefault(group.port_id, f"{iqn} {name}") == f"{iqn} {name}"
        done.append(filled)


@given(st.lists(small_maps(), max_size=8))
def test_an_address_leads_to_one_serial_for_ever(maps: list[Lunmap]) -> None:
    """Of the maps that are committed without naming a Lun, no two lead one address to different serials."""
    done: list[Lunmap] = [EMPTY_MAP]
    for lunmap in maps:
        difference = compare_maps((done[-1],), lunmap)
        stored = stored_form(ledger_of(done))
        if not find_reused_addresses(difference, stored, len(done)):
            done.append(lunmap)
    serials: dict[LunAddress, str] = {}
    for lunmap in done:
        for address, occupant in occupants_of(lunmap, lunmap.luns).items():
            assert serials.setdefault(address, occupant.serial) == occupant.serial


def stored_form(ledger: Ledger) -> Ledger:
    """Return the ledger as it is read back from the tree."""
    records = {name: as_stored(record) for name, record in ledger.initiators.items()}
    return Ledger(records, ids_as_stored(ledger.ids))


@given(MAPS)
def test_an_undo_is_never_refused(maps: list[Lunmap]) -> None:
    """The map before the last commit may follow again, but for numbers that lead to another Lun now."""
    if len(maps) < 2:
        return
    before, last = maps[-2:]
    difference = compare_maps((last,), before)
    found = find_reused_addresses(difference, ledger_of(maps), len(maps))
    assert all(each.present for each in found)


@given(MAPS)
def test_a_ledger_survives_its_documents(maps: list[Lunmap]) -> None:
    """The documents in the tree decode to the same ledger, and to the same bytes again."""
    ledger = ledger_of(maps)
    for record in ledger.initiators.values():
        again = decode(encode(record), AddressRecord)
        assert (again, encode(again)) == (record, encode(record))
    ids = decode(encode(ledger.ids), IdRecord)
    assert (ids, encode(ids)) == (ledger.ids, encode(ledger.ids))


@given(st.lists(st.sets(st.integers(0, 30))), st.sets(st.integers(0, 40)))
def test_ranges_hold_exactly_the_numbers(sets: list[set[int]], taken: set[int]) -> None:
    """Ranges are ascending and apart, hold every number that was added, and no other."""
    numbers = UsedNumbers()
    for revision, ended in enumerate(sets):
        numbers = with_ended_uses(numbers, (FormerUse(number, "a", "1", revision) for number in ended))
    every = set[int]().union(*sets)
    assert {number for number in range(50) if number in numbers} == every
    assert all(one[1] + 1 < two[0] for one, two in zip(numbers.used, numbers.used[1:], strict=False))
    assert set(unused_numbers(range(50), numbers, taken)) == set(range(50)) - every - taken


@given(small_maps(), small_maps())
def test_a_group_is_its_members(before: Lunmap, after: Lunmap) -> None:
    """The ledger has an initiator's numbers, whether its group or the initiator itself was mapped."""
    alone = [
        replace(
            lunmap,
            luns={
                name: replace(
                    lun,
                    maps=tuple(
                        Map(entry.target, entry.lun, who, access=entry.access)
                        for entry in lun.maps
                        for who in initiators_of(lunmap, entry)
                    ),
                )
                for name, lun in lunmap.luns.items()
            },
        )
        for lunmap in (before, after)
    ]
    assert ledger_of([before, after]).initiators == ledger_of(alone).initiators
