"""A change that is compared once has the results of comparing whole maps."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import diff_maps, split_path
from lunmapd.core.history.map_change import (
    MapChange,
    change_among,
    change_between,
    compare_objects,
    names_in,
    record_changes,
    with_few_luns,
)
from lunmapd.core.map.ledger import compare_maps
from lunmapd.core.map.serials import touched_luns
from support.strategies import lunmaps


def _mixed(data: st.DataObject, one: Lunmap, other: Lunmap) -> Lunmap:
    """Draw a map of which some sections are those of another one, and the same Python objects."""
    taken = data.draw(st.sets(st.sampled_from(("luns", "targets", "initiators", "groups", "nodes"))))
    return replace(one, **{section: getattr(other, section) for section in taken})


@given(st.data(), lunmaps(), lunmaps())
def test_the_objects_of_a_change_are_those_of_its_documents(
    data: st.DataObject, before: Lunmap, other: Lunmap
) -> None:
    """The objects that differ are those that the record of the change has."""
    after = _mixed(data, before, other)
    paths = {split_path(change.path) for change in diff_maps(before, after)}
    assert compare_objects(before, after).objects == paths


@given(st.data(), lunmaps(), lunmaps())
def test_a_known_change_is_that_of_a_comparison(data: st.DataObject, before: Lunmap, other: Lunmap) -> None:
    """More objects than those that differ give the same change, and the changes that a revision records."""
    after = _mixed(data, before, other)
    compared = change_between(before, after)
    every = [(section, name) for lunmap in (before, after) for section, name, _ in lunmap.documents()]
    more = data.draw(st.sets(st.sampled_from(every))) if every else set()
    known = change_among(compared.objects | more, before, after)
    assert known == compared
    assert record_changes(known) == diff_maps(before, after)


@given(lunmaps(), lunmaps(), lunmaps())
def test_a_known_change_of_other_maps_is_not_used(before: Lunmap, after: Lunmap, third: Lunmap) -> None:
    """Only the change between the very two maps counts as known."""
    compared = change_between(before, after)
    assert change_between(before, after, MapChange(third, after, frozenset())) == compared
    assert change_between(before, after, MapChange(before, third, frozenset())) == compared
    assert change_between(before, after, known := MapChange(before, after, frozenset())) is known


@given(st.data(), lunmaps(), lunmaps(), lunmaps())
def test_the_ledger_of_a_change_is_that_of_whole_maps(
    data: st.DataObject, recorded: Lunmap, edited: Lunmap, other: Lunmap
) -> None:
    """Without the Luns that do not differ, the maps have the same differences, out-of-band edits included."""
    effective = _mixed(data, recorded, edited)
    after = _mixed(data, effective, other)
    touched = compare_objects(effective, after).objects | compare_objects(recorded, effective).objects
    *befores, few = with_few_luns((recorded, effective, after), touched)
    assert compare_maps(befores, few) == compare_maps((recorded, effective), after)


@given(lunmaps(), lunmaps())
def test_the_luns_of_a_change_are_those_whose_paths_differ(before: Lunmap, after: Lunmap) -> None:
    """More names than those that differ give the same Luns as all names, and none that the map lacks."""
    differing = names_in("luns", compare_objects(before, after).objects)
    touched = touched_luns((before,), after, differing)
    assert touched <= after.luns.keys()
    assert touched >= {name for name, lun in after.luns.items() if before.luns.get(name) != lun}
