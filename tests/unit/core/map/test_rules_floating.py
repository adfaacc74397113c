"""The rules of floating portal groups, one broken at a time."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, AluaState, Scope, Shared
from lunmapd.core.map import rules
from lunmapd.core.map.fill_in import fill_in, needs_port_ids
from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.reuse import ReusedId
from lunmapd.core.map.rules.floating import check_moved_addresses
from lunmapd.core.map.rules.reuse import check_reused_port_ids, check_reused_tags
from lunmapd.core.map.target_ids import IdUse, differing_port_ids, differing_tags
from lunmapd.core.map.used_numbers import FormerUse
from support.floating_map import FLOATING, GOLD, LUN
from support.floating_map import T as POOL
from support.valid_map import GOOD, T, problems_of

TARGET = f"  {T}: {{nodes: {{n1: {{port_id: 1}}, n2: {{port_id: 2}}}}}}"
GROUP = "a: {tpg_tag: 9, port_id: 9, portals: ['10.0.0.9:3260'], nodes: [n1, n2]}"
OTHER = "b: {tpg_tag: 8, port_id: 8, portals: ['10.0.0.8:3260'], nodes: [n2, n1], failback: manual, interface: bond0.7}"
PLACE = f"targets[{T}].floating"

BROKEN = [
    ("a:", "'a b':", f"{PLACE}.a b", "is not a name"),
    ("[n1, n2]", "[]", f"{PLACE}.a.nodes", "name the nodes"),
    ("[n1, n2]", "[n1, n1]", f"{PLACE}.a.nodes[1]", "given twice"),
    ("[n1, n2]", "[n1, n9]", f"{PLACE}.a.nodes[1]", "there is no node 'n9'"),
    ("['10.0.0.9:3260']", "[]", f"{PLACE}.a.portals", "give at least one portal"),
    ("['10.0.0.9:3260']", "['10.0.0.9:3260', '10.0.0.9:3260']", f"{PLACE}.a.portals[1]", "given twice"),
    ("10.0.0.9:3260", "10.0.0", f"{PLACE}.a.portals[0]", "is not a portal"),
    ("10.0.0.9:3260", "0.0.0.0:3260", f"{PLACE}.a.portals[0]", "no address that can move"),
    ("10.0.0.9:3260", "127.0.0.1:3260", f"{PLACE}.a.portals[0]", "no address that can move"),
    ("10.0.0.9:3260", "169.254.0.1:3260", f"{PLACE}.a.portals[0]", "no address that can move"),
    ("10.0.0.9:3260", "10.0.0.1:3261", f"{PLACE}.a.portals[0]", "10.0.0.1 is already that of nodes[n1]"),
    ("10.0.0.9:3260", "10.0.0.8:3261", f"{PLACE}.b.portals[0]", f"10.0.0.8 is already that of {PLACE}.a"),
    ("tpg_tag: 9", "tpg_tag: 0", f"{PLACE}.a.tpg_tag", "is not a TPG tag"),
    ("tpg_tag: 9", "tpg_tag: 2", f"{PLACE}.a.tpg_tag", "the same TPG tag is already that of nodes[n2]"),
    ("tpg_tag: 9", "tpg_tag: 8", f"{PLACE}.b.tpg_tag", f"the same TPG tag is already that of {PLACE}.a"),
    ("port_id: 9", "port_id: 70000", f"{PLACE}.a.port_id", "is not a port id"),
    ("port_id: 9", "port_id: 1", f"{PLACE}.a.port_id", f"already that of targets[{T}].nodes.n1"),
    ("nodes: [n1", "grace: 601, nodes: [n1", f"{PLACE}.a.grace", "use 0 to 600"),
    ("nodes: [n1", "failback_after: -1, nodes: [n1", f"{PLACE}.a.failback_after", "use 0 to 86400"),
    ("nodes: [n1", "interface: ens/3, nodes: [n1", f"{PLACE}.a.interface", "not the name of an interface"),
    ("nodes: [n1", "interface: a123456789012345, nodes: [n1", f"{PLACE}.a.interface", "not the name of an interface"),
    ("nodes: [n1", "interface: .., nodes: [n1", f"{PLACE}.a.interface", "not the name of an interface"),
]  # fmt: skip


def _map(group: str = GROUP) -> str:
    return GOOD.replace(TARGET, f"{TARGET[:-1]}, floating: {{{group}, {OTHER}}}}}")


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"), BROKEN, ids=[f"{row[2]} {row[3]} {row[1]}" for row in BROKEN]
)
def test_a_broken_rule_of_a_group_is_one_problem(old: str, new: str, place: str, sentence: str) -> None:
    """Each broken rule names the group, the field and what to write instead."""
    assert old in GROUP
    (found,) = problems_of(_map(GROUP.replace(old, new, 1)))
    assert found.startswith(f"{place}: ")
    assert sentence in found


def test_a_document_with_another_spelling_of_a_portal_is_refused() -> None:
    """Each portal has one spelling in the tree, so that an address is found wherever it is used."""
    lunmap = parse_map(_map())[0]
    group = replace(lunmap.targets[T].floating["a"], portals=("10.0.0.9",))
    target = replace(lunmap.targets[T], floating={"a": group})
    (found,) = rules.check_map(replace(lunmap, targets={T: target}))
    assert str(found) == f"{PLACE}.a.portals[0]: '10.0.0.9' must be spelled '10.0.0.9:3260'"


def test_groups_may_use_all_fields() -> None:
    """A map with two groups keeps the rules; several portals of a group may share its address."""
    assert problems_of(_map()) == []
    assert problems_of(_map(GROUP.replace("3260']", "3260', '10.0.0.9:860', 'fd00::9']"))) == []


def test_a_node_s_own_wrong_portal_is_reported_once() -> None:
    """A portal that is none breaks the rule of its node, and no rule of groups."""
    found = problems_of(_map().replace("[10.0.0.1]", "[10.0.0]"))
    assert [line.split(":")[0] for line in found] == ["nodes[n1].portals[0]"]


def test_a_group_that_can_t_move_is_worth_a_warning() -> None:
    """A group with one node is accepted with a warning."""
    lunmap = parse_map(_map(GROUP.replace("[n1, n2]", "[n1]")))[0]
    assert rules.check_map(lunmap) == ()
    found = [str(warning) for warning in rules.map_warnings(lunmap) if "floating" in warning.place]
    assert found == [f"{PLACE}.a.nodes: 'n1' is the only node: the group has nowhere to move"]


def test_the_port_id_of_a_group_is_filled_in_and_kept() -> None:
    """A group without a port id gets a free one, and keeps it in later commits."""
    bare = parse_map(_map(GROUP.replace("port_id: 9, ", "")))[0]
    assert needs_port_ids(bare, EMPTY_MAP)
    filled = fill_in(bare, EMPTY_MAP, lambda: "1")
    assert filled.targets[T].floating["a"].port_id == 3
    assert not needs_port_ids(bare, filled)
    assert fill_in(bare, filled, lambda: "1") == filled


def test_the_ids_of_a_group_are_not_reused() -> None:
    """A port id or tag that a group had is reported where another object gets it, and the other way round."""
    before = parse_map(_map())[0]
    after = parse_map(_map(GROUP.replace("tpg_tag: 9, port_id: 9", "tpg_tag: 7, port_id: 7")))[0]
    swapped = parse_map(
        _map(GROUP.replace("a: {tpg_tag: 9, port_id: 9", "c: {tpg_tag: 9, port_id: 9")).replace(
            "n2: {tpg_tag: 2", "n2: {tpg_tag: 7"
        )
    )[0]
    assert differing_port_ids(before, after) == {9: IdUse("a", f"{T} floating/a")}
    assert differing_tags(before, after) == {9: IdUse("a", f"{T} floating/a")}
    ids = [ReusedId(9, "c", f"{T} floating/c", FormerUse(9, "a", f"{T} floating/a", 4))]
    (port,), (tag,) = check_reused_port_ids(ids, (before,)), check_reused_tags(ids, (before,))
    assert (port.place, tag.place) == (
        ("targets", T, "floating", "c", "port_id"),
        ("targets", T, "floating", "c", "tpg_tag"),
    )
    assert f"belonged to floating group a of target {T} until revision 4" in str(port)
    assert differing_tags(swapped, after) == {9: IdUse("c", f"{T} floating/c"), 7: IdUse("n2", "n2")}
    assert differing_tags(after, EMPTY_MAP).keys() == {1, 2, 7, 8}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"nodes": ("n1",)}, "luns[a] is not served there by the map, as 1 more"),
        (
            {"preferred": "n1", "others": AluaState.STANDBY},
            "luns[a] accepts no I/O there by the map, as 1 more",
        ),
        ({"preferred": "n1"}, ""),
    ],
)
def test_a_node_that_can_not_own_the_group_is_a_warning(fields: dict[str, object], sentence: str) -> None:
    """The map keeps a Lun of the target from it; each node is named once."""
    luns = {name: replace(LUN, **fields) for name in ("a", "b")}
    found = [
        str(each) for each in rules.map_warnings(replace(FLOATING, luns=luns)) if "can't own" in str(each)
    ]
    place = f"targets[{POOL}].floating.gold.nodes"
    assert found == ([f"{place}: 'n2' can't own the group: {sentence}"] if sentence else [])


@pytest.mark.parametrize(
    ("scope", "nodes", "count", "sentence"),
    [
        (Scope.PER_NODE, ("n1", "n2"), 1, "luns[a] offers reservations: hosts lose them"),
        (Scope.PER_NODE, ("n1", "n2"), 3, "luns[a] offers reservations, as do 2 more: hosts lose them"),
        (Scope.PER_NODE, ("n1",), 1, ""),
        (Scope.OFF, ("n1", "n2"), 1, ""),
    ],
)
def test_reservations_behind_a_group_that_moves_are_a_warning(
    scope: Scope, nodes: tuple[str, ...], count: int, sentence: str
) -> None:
    """LIO keeps them in the owner alone, and so they come back with it."""
    shared = replace(LUN, shared=Shared(scope, Scope.OFF))
    targets = {POOL: replace(FLOATING.targets[POOL], floating={"gold": replace(GOLD, nodes=nodes)})}
    lunmap = replace(FLOATING, luns=dict.fromkeys("abc"[:count], shared), targets=targets)
    found = [str(each) for each in rules.map_warnings(lunmap) if "reservations" in str(each)]
    place = f"targets[{POOL}].floating.gold.nodes: "
    assert [each.startswith(place + sentence) for each in found] == ([True] if sentence else [])


def test_an_address_goes_to_another_group_by_way_of_a_map_without_it() -> None:
    """The former owner may have it: only a commit that leaves it out lets that node give it up first."""
    before = parse_map(_map())[0]
    swapped = parse_map(
        _map()
        .replace("10.0.0.9:", "10.0.0.7:")
        .replace("10.0.0.8:", "10.0.0.9:")
        .replace("10.0.0.7:", "10.0.0.8:")
    )[0]
    found = [str(each).split(", whose")[0] for each in check_moved_addresses(before, swapped)]
    assert found == [
        f"{PLACE}.a.portals[0]: 10.0.0.8 is still the address of floating group b of {T}",
        f"{PLACE}.b.portals[0]: 10.0.0.9 is still the address of floating group a of {T}",
    ]
    without = parse_map(_map().replace("10.0.0.9:", "10.0.0.7:").replace("10.0.0.8:", "10.0.0.6:"))[0]
    other_port = parse_map(_map().replace("10.0.0.9:3260", "10.0.0.9:3261"))[0]
    for was, now in ((before, without), (without, swapped), (before, other_port), (before, before)):
        assert list(check_moved_addresses(was, now)) == []


@pytest.mark.parametrize("spelling", ["10.0.0.9", "nonsense"])
def test_a_portal_that_is_no_portal_has_no_address(spelling: str) -> None:
    """Other rules report it."""
    lunmap = parse_map(_map())[0]
    group = replace(lunmap.targets[T].floating["a"], portals=(spelling,))
    broken = replace(lunmap, targets={T: replace(lunmap.targets[T], floating={"b": group})})
    assert list(check_moved_addresses(lunmap, broken)) == list(check_moved_addresses(broken, lunmap)) == []
