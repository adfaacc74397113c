"""LUN numbers, port ids and tags that are used again: what is found, and the sentence for the admin."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, Group, Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.names import MAX_LUN_NUMBER
from lunmapd.core.map.ledger import AddressRecord, IdRecord, Ledger, compare_maps, record_departures
from lunmapd.core.map.reuse import (
    ReusedAddress,
    find_reused_addresses,
    find_reused_port_ids,
    find_reused_tags,
)
from lunmapd.core.map.rules.reuse import check_reused_addresses, check_reused_port_ids, check_reused_tags
from lunmapd.core.map.used_numbers import UsedNumbers
from support.small_map import LUN, MAP, H, T

G, I = "iqn.2026-01.org.example:g", "iqn.2026-01.org.example:i"  # noqa: E741 - the next letter
NEW = Lun(replace(LUN.backing, path="/srv/b"), "2" * 32, LUN.size, maps=(Map(T, 3, H),))
DOUBT = "node n1 is dead"


def with_luns(**luns: Lun) -> Lunmap:
    """Return the small map with these Luns."""
    return replace(MAP, luns=luns)


def found(before: Lunmap, after: Lunmap, ledger: Ledger | None = None) -> tuple[ReusedAddress, ...]:
    """Return the addresses that a commit on top of revision 9 uses again."""
    return find_reused_addresses(compare_maps((before,), after), ledger or Ledger(), 9)


def sentences(before: Lunmap, after: Lunmap, ledger: Ledger | None = None, *effective: Lunmap) -> list[str]:
    """Return the problems of these addresses, as they are printed, each with one doubt."""
    doubtful = [each if each.present else replace(each, doubt=DOUBT) for each in found(before, after, ledger)]
    return [
        str(problem)
        for problem in check_reused_addresses(doubtful, after, (before, *effective), ledger or Ledger())
    ]


def left(before: Lunmap, after: Lunmap, revision: int = 7) -> Ledger:
    """Return the ledger after this commit."""
    return record_departures(Ledger(), compare_maps((before,), after), revision)


def test_a_replaced_lun_is_named() -> None:
    """The sentence has place, host, number, old and new Lun, revision, a free number and the option."""
    assert sentences(MAP, with_luns(b=NEW)) == [
        (
            f"luns[b].maps[0].lun: LUN 3 leads {H} to Lun a (serial {LUN.serial}) through {T} in revision 9; a "
            "host that still has the device would write into Lun b without an error: use another number (the "
            "lowest number that was never used there is 1), or remove the device on the host and allow it with "
            "--reuse-lun b"
        )
    ]


def test_both_numbers_of_a_swap_are_reused() -> None:
    """Each of two Luns that swap numbers gets another free number offered."""
    other = replace(NEW, maps=(Map(T, 1, H),))
    swapped = with_luns(a=replace(LUN, maps=other.maps), b=replace(other, maps=LUN.maps))
    one, two = sentences(with_luns(a=LUN, b=other), swapped)
    assert one.startswith(f"luns[a].maps[0].lun: LUN 1 leads {H} to Lun b ")
    assert "never used there is 2)" in one
    assert two.startswith(f"luns[b].maps[0].lun: LUN 3 leads {H} to Lun a ")
    assert "never used there is 4)" in two


def test_a_number_of_a_removed_lun_is_reused() -> None:
    """The Lun that had the number last is named, with the revision that ended it and the doubt."""
    (sentence,) = sentences(with_luns(), with_luns(b=NEW), left(MAP, with_luns()))
    assert (
        f"LUN 3 led {H} to Lun a (serial {LUN.serial}) through {T} until revision 7; {DOUBT}; a" in sentence
    )


def test_a_number_whose_lun_is_not_remembered_is_reused() -> None:
    """A number that is only known to be used says so."""
    ledger = Ledger({H: AddressRecord({T: UsedNumbers(((0, MAX_LUN_NUMBER),))})})
    (sentence,) = sentences(with_luns(), with_luns(b=NEW), ledger)
    assert f"LUN 3 led {H} to a Lun that is not remembered any more through {T}; {DOUBT}; a" in sentence
    assert "use another number (no number is unused)" in sentence
    (reused,) = found(with_luns(), with_luns(b=NEW), ledger)
    assert (reused.oldest, reused.newest) == (1, 9)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MAP, with_luns(a=replace(LUN, maps=(Map(T, 5, H),)))),
        (MAP, with_luns(a=LUN, b=replace(NEW, maps=(Map(T, 4, H),)))),
        (with_luns(), MAP),
        (MAP, with_luns(renamed=LUN)),
    ],
    ids=["another number", "one more number", "the same Lun again", "another name"],
)
def test_what_leads_nobody_elsewhere_is_allowed(before: Lunmap, after: Lunmap) -> None:
    """New numbers, the same Lun under its old number and a renamed Lun are not reuse."""
    assert found(before, after, left(MAP, with_luns())) == ()


def test_hosts_of_a_group_are_one_problem() -> None:
    """A map to a group is reported once, with the first hosts by name."""
    hosts = (G, H, I, f"{I}j")
    before = replace(
        with_luns(a=replace(LUN, maps=(Map(T, 3, group="all"),))),
        initiators={name: Initiator() for name in hosts},
        groups={"all": Group(hosts)},
    )
    after = replace(before, luns={"b": replace(NEW, maps=(Map(T, 3, group="all"),))})
    (sentence,) = sentences(before, after)
    assert f"LUN 3 leads {G}, {H}, {I} and 1 more to Lun a" in sentence


def test_a_member_that_joins_a_group_may_reuse_a_number() -> None:
    """A host that had another Lun under the number of the group is found, the other members are not."""
    group = replace(
        with_luns(b=replace(NEW, maps=(Map(T, 3, group="all"),))),
        initiators={H: Initiator(), G: Initiator()},
        groups={"all": Group((G,))},
    )
    joined = replace(group, groups={"all": Group((G, H))})
    (sentence,) = sentences(group, joined, left(MAP, with_luns()))
    assert sentence.startswith(f"luns[b].maps[0].lun: LUN 3 led {H} to Lun a")


def test_an_edit_is_reverted_or_kept_by_a_verb_that_can() -> None:
    """The commit may be of a verb without the option; of its own change the option is named."""
    edited = with_luns(b=NEW)
    (sentence,) = sentences(MAP, edited, None, edited)
    assert sentence.endswith(
        "would write into Lun b without an error: it was edited out of band, and 'lunmapctl repair' reverts "
        "that; to keep it, remove the device on the host, then 'lunmapctl get | lunmapctl apply - "
        "--reuse-lun b'"
    )
    (own,) = sentences(MAP, edited, None, with_luns())
    assert own.endswith("or remove the device on the host and allow it with --reuse-lun b")


def test_an_edited_port_id_or_tag_is_reverted_or_kept() -> None:
    """As a LUN number is."""
    moved = replace(MAP, targets={f"{T}2": Target({"n2": PortalGroup(1)}), T: Target({"n2": PortalGroup(7)})})
    tagged = replace(MAP, nodes={"n1": MAP.nodes["n2"], "n2": MAP.nodes["n1"]})
    for edited in (moved, tagged):
        for sentence in ids(MAP, edited, Ledger(), edited):
            assert sentence.partition(" by it: ")[2].startswith(
                "it was edited out of band, and 'lunmapctl repair' reverts that; to keep it, 'lunmapctl get | "
                "lunmapctl apply - --reuse-id n"
            )
    assert len(ids(MAP, tagged, Ledger(), tagged)) == 2


def ids(before: Lunmap, after: Lunmap, ledger: Ledger, *effective: Lunmap) -> list[str]:
    """Return the problems of port ids and tags, as they are printed."""
    known = (before, *effective)
    difference = compare_maps(known, after)
    port_ids = check_reused_port_ids(find_reused_port_ids(difference, ledger, 9), known)
    tags = check_reused_tags(find_reused_tags(difference, ledger, 9), known)
    return [str(problem) for problem in (*port_ids, *tags)]


def test_a_port_id_of_another_target_is_reused() -> None:
    """A port id that belongs, or belonged, to another target or node is named with both."""
    moved = replace(MAP, targets={f"{T}2": Target({"n2": PortalGroup(1)}), T: Target({"n2": PortalGroup(7)})})
    assert ids(MAP, moved, Ledger()) == [
        (
            f"targets[{T}2].nodes.n2.port_id: port id 1 belongs to target {T} on node n1 in revision 9, and "
            "initiators tell paths apart by it: omit port_id to get a new one; to allow it: --reuse-id n2"
        )
    ]
    without = replace(MAP, targets={})
    (later,) = ids(
        without, replace(MAP, targets={f"{T}2": Target({"n2": PortalGroup(1)})}), left(MAP, without)
    )
    assert f"port id 1 belonged to target {T} on node n1 until revision 7" in later
    assert ids(without, MAP, left(MAP, without)) == []


def test_a_tag_of_another_node_is_reused() -> None:
    """A TPG tag that belongs, or belonged, to another node is named with it."""
    other = replace(MAP, nodes={"n3": Node(1), "n2": MAP.nodes["n2"]})
    assert ids(MAP, other, Ledger()) == [
        (
            "nodes[n3].tpg_tag: TPG tag 1 belongs to node n1 in revision 9, and initiators tell paths apart by it: "
            "give a tag that no node had; to allow it: --reuse-id n3"
        )
    ]
    (unnamed,) = ids(EMPTY_MAP, other, Ledger(ids=IdRecord(tpg_tags=UsedNumbers(((1, 1),)))))
    assert unnamed.startswith("nodes[n3].tpg_tag: TPG tag 1 was used before, and")
