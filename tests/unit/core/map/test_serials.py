"""Serials that get another path, compared with the Lun that was the last one to be mapped with them."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block, FileIO, RamDisk, User
from lunmapd.core.base.lunmap import EMPTY_MAP, Lun, Lunmap, Map
from lunmapd.core.base.names import naa
from lunmapd.core.history.changes import Change, Revision, as_raw, diff_maps
from lunmapd.core.map.rules.serials import check_moved_sources
from lunmapd.core.map.serials import (
    current_mappings,
    last_mappings,
    moved_sources,
    stays_mapped,
    touched_luns,
    unmapped_and_kept,
)
from support.small_map import LUN, MAP, H, T

S = LUN.serial
UNMAPPED = replace(LUN, maps=())
OTHER = FileIO("/srv/other")


def with_luns(**luns: Lun) -> Lunmap:
    """Return the small map with these Luns."""
    return replace(MAP, luns=luns)


def problems(*maps: Lunmap, rebacking: frozenset[str] = frozenset()) -> list[str]:
    """Commit all maps but the last, one after the other, and return why the last one is refused."""
    *earlier, after = maps
    befores = [EMPTY_MAP, *earlier]
    revisions = [
        Revision(number, "", "", "", "", diff_maps(befores[number - 1], each))
        for number, each in enumerate(earlier, 1)
    ]
    now = (earlier[-1],)
    names = {
        name
        for name in touched_luns(now, after, now[0].luns.keys() | after.luns.keys())
        if not stays_mapped(now, after, name)
    }
    naas = {naa(after.luns[name].serial) for name in names}
    former = current_mappings(now, naas, len(earlier))
    unknown = naas - former.keys() - unmapped_and_kept(now, after, names)
    former |= last_mappings(unknown, earlier[-1], reversed(revisions))
    return [str(each) for each in check_moved_sources(moved_sources(after, names, former), after, rebacking)]


def test_a_serial_that_moves_to_another_lun_keeps_its_path() -> None:
    """In one commit, another Lun with the serial and another path is refused by name."""
    after = with_luns(b=replace(LUN, backing=OTHER))
    (problem,) = problems(MAP, after)
    assert problem == (
        "luns[b].backing.path: on node n1 Lun b would have /srv/other, and Lun a, with the same serial, was "
        "mapped with /srv/a in revision 1: other data under the same WWID, which no initiator that still has "
        "the device notices; omit the serial to make a new Lun; to allow it, such as for another name of the "
        "same device: --rebacking b"
    )
    assert problems(MAP, after, rebacking=frozenset({"b"})) == []
    assert problems(MAP, with_luns(b=LUN)) == []


@pytest.mark.parametrize("spelled", [f"{S[:8]}-{S[8:]}", f"{S[:25]}0"])
def test_a_serial_with_the_same_wwid_keeps_its_path(spelled: str) -> None:
    """Hosts know a disk by the WWID, which dashes and digits behind the 25th do not change."""
    other = replace(LUN, serial=spelled, backing=OTHER)
    assert "Lun b would have /srv/other" in problems(MAP, with_luns(b=other))[0]
    assert "until revision 2" in problems(MAP, with_luns(), with_luns(b=other))[0]
    assert problems(MAP, with_luns(b=replace(LUN, serial=spelled))) == []


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_serial_of_the_history_keeps_its_path(name: str) -> None:
    """A Lun that was removed in an earlier commit comes back with its serial only with its path."""
    (problem,) = problems(MAP, with_luns(), with_luns(**{name: replace(LUN, backing=OTHER)}))
    assert f"Lun {name} would have /srv/other, and Lun a" in problem
    assert "/srv/a until revision 2" in problem
    assert problems(MAP, with_luns(), with_luns(**{name: LUN})) == []


def test_a_lun_that_was_mapped_keeps_its_path_while_it_is_not() -> None:
    """Unmapping a Lun, at once or before, does not make its serial free for other data."""
    moved = replace(UNMAPPED, backing=OTHER)
    assert "in revision 1" in problems(MAP, with_luns(a=moved))[0]
    assert "until revision 2" in problems(MAP, with_luns(a=UNMAPPED), with_luns(a=moved))[0]
    assert problems(MAP, with_luns(a=UNMAPPED), with_luns(a=replace(UNMAPPED, size=1 << 21))) == []


def test_a_lun_that_was_never_mapped_may_have_any_path() -> None:
    """No host can have a device of a Lun that no revision maps."""
    moved = with_luns(a=replace(LUN, backing=OTHER))
    assert problems(with_luns(a=UNMAPPED), moved) == []
    assert problems(with_luns(), moved) == []


def test_the_last_mapping_counts() -> None:
    """A path that was allowed once is the one to keep."""
    moved = with_luns(a=replace(LUN, backing=OTHER))
    assert problems(MAP, moved, with_luns(), moved) == []
    assert "/srv/other until revision 3" in problems(MAP, moved, with_luns(), MAP)[0]


def test_a_lun_that_stays_mapped_is_left_to_the_other_rule() -> None:
    """`rules.sources` reports a Lun that is mapped before and after, under its name."""
    assert problems(MAP, with_luns(a=replace(LUN, backing=OTHER))) == []


def test_nodes_rewrite_the_paths_of_unmapped_luns_too() -> None:
    """A node's `devices` gives an unmapped Lun another path: all Luns are compared then."""
    unmapped = with_luns(a=UNMAPPED)
    nodes = {**MAP.nodes, "n2": replace(MAP.nodes["n2"], devices={"/srv": "/x"})}
    (problem,) = problems(MAP, unmapped, replace(unmapped, nodes=nodes))
    assert "on node n2 Lun a would have /x/a, and Lun a" in problem
    assert problems(MAP, replace(MAP, nodes=nodes)) == []


def test_other_kinds_of_backing_are_other_data() -> None:
    """A program, a device and memory are different, whatever their texts; a program is named by its field."""
    (problem,) = problems(MAP, with_luns(), with_luns(a=replace(LUN, backing=User("srv/a"))))
    assert problem.startswith("luns[a].backing.config: on node n1 Lun a would have srv/a")
    assert len(problems(MAP, with_luns(), with_luns(a=replace(LUN, backing=Block("/srv/a"))))) == 1
    memory = replace(LUN, backing=RamDisk(volatile=True))
    assert "would have memory" in problems(MAP, with_luns(), with_luns(a=memory))[0]
    assert problems(with_luns(a=memory), with_luns(), with_luns(a=memory)) == []


def test_nodes_that_are_gone_leave_the_others_to_compare() -> None:
    """A Lun of which no node is left is compared on the nodes that report it now, or could."""
    only = {"n2": MAP.nodes["n2"]}
    targets = {T: replace(MAP.targets[T], nodes={"n2": MAP.targets[T].nodes["n2"]})}
    one = replace(MAP, targets={T: replace(MAP.targets[T], nodes={"n1": MAP.targets[T].nodes["n1"]})})
    after = replace(with_luns(b=replace(LUN, backing=OTHER)), targets=targets, nodes=only)
    assert "on node n2" in problems(one, after)[0]
    assert "on node n2" in problems(one, replace(after, luns={"b": replace(UNMAPPED, backing=OTHER)}))[0]


def test_documents_that_can_not_be_decoded_have_no_serial() -> None:
    """A history with an odd document is searched to its end."""
    odd = Change("luns/a", as_raw(b'{"serial":1}'))
    changes = (odd, Change("nodes/n1", as_raw(b"{}")), Change("luns/b"))
    assert last_mappings({naa(S)}, EMPTY_MAP, [Revision(1, "", "", "", "", changes)]) == {}


def test_a_serial_is_looked_for_until_it_is_found() -> None:
    """Older revisions are not read once every serial is found, and the newest mapping counts."""

    def revisions() -> list[Revision]:
        return [
            Revision(3, "", "", "", "", diff_maps(MAP, with_luns())),
            Revision(2, "", "", "", "", diff_maps(with_luns(a=replace(LUN, maps=(Map(T, 9, H),))), MAP)),
        ]

    found = last_mappings({naa(S)}, with_luns(), revisions())
    assert found[naa(S)].lun == LUN
    assert found[naa(S)].revision == 3


def test_a_lun_with_another_serial_is_passed_over() -> None:
    """A newer revision that unmapped a Lun with another serial does not end the search."""
    other = replace(LUN, serial="b" * len(S))
    revisions = [
        Revision(2, "", "", "", "", diff_maps(with_luns(b=other), with_luns())),
        Revision(1, "", "", "", "", diff_maps(with_luns(a=LUN, b=other), with_luns(b=other))),
    ]
    found = last_mappings({naa(S)}, with_luns(), revisions)
    assert {identifier: last.lun for identifier, last in found.items()} == {naa(S): LUN}
