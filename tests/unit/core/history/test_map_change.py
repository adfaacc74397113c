"""The change of a map, compared once."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Map
from lunmapd.core.history.map_change import (
    change_among,
    change_between,
    compare_objects,
    record_changes,
    with_few_luns,
)
from support.small_map import LUN, MAP, H, T

BEFORE = replace(
    MAP,
    luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=(Map(T, 4, group="web"),))},
    groups={"web": Group(())},
)
AFTER = replace(BEFORE, groups={"web": Group((H,))})


def test_a_known_change_of_the_same_maps_is_used() -> None:
    """The maps are not compared again; the change of two others is not used."""
    known = change_between(BEFORE, AFTER)
    assert known.objects == {("groups", "web")}
    assert change_between(BEFORE, AFTER, known) is known
    assert change_between(AFTER, BEFORE, known).objects == known.objects


def test_a_change_among_objects_has_those_that_differ() -> None:
    """An object that is equal in both maps is none of it, so the record of the change is the same."""
    change = change_among([("groups", "web"), ("luns", "a"), ("nodes", "none")], BEFORE, AFTER)
    assert change == change_between(BEFORE, AFTER)
    assert [each.path for each in record_changes(change)] == ["groups/web"]


def test_a_map_whose_sections_are_used_again_is_compared() -> None:
    """The sections of the new map are copied, so a later edit of its dicts changes no known map."""
    groups = dict(AFTER.groups)
    change = compare_objects(BEFORE, replace(BEFORE, groups=groups))
    groups.clear()
    assert change.after == AFTER


def test_few_luns_are_those_that_a_change_concerns() -> None:
    """A group concerns the Luns that are mapped to it; without one only Luns of the change are kept."""
    of_group = with_few_luns((BEFORE, AFTER), {("groups", "web")})
    assert [set(lunmap.luns) for lunmap in of_group] == [{"b"}, {"b"}]
    assert [set(each.luns) for each in with_few_luns((BEFORE,), {("luns", "a"), ("luns", "none")})] == [{"a"}]
