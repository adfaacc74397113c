"""Laws of bringing two changes of one map together."""

from hypothesis import given

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import diff_maps, document_at
from lunmapd.core.history.fields import field_values, leaves
from lunmapd.core.history.merge import INSEPARABLE, WHOLE, merge_fields, merge_maps
from support.strategies import lunmaps


@given(lunmaps(), lunmaps())
def test_who_is_alone_has_what_he_made(base: Lunmap, ours: Lunmap) -> None:
    """Merging with an unchanged map gives ours, and no change gives theirs."""
    assert merge_maps(base, ours, base).lunmap == ours
    assert merge_maps(base, base, ours).lunmap == ours


@given(lunmaps(), lunmaps())
def test_the_same_change_does_not_clash(base: Lunmap, ours: Lunmap) -> None:
    """Both having made the same map is that map."""
    merged = merge_maps(base, ours, ours)
    assert (merged.lunmap, merged.clashes) == (ours, ())


@given(lunmaps(), lunmaps(), lunmaps())
def test_each_object_is_as_the_one_who_changed_it_made_it(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> None:
    """Ours where only we changed an object, theirs otherwise; what both changed in another way is named."""
    merged = merge_maps(base, ours, theirs)
    mine = {change.path for change in diff_maps(base, ours)}
    other = {change.path for change in diff_maps(base, theirs)}
    for path in mine | other:
        expected = ours if path in mine - other else theirs
        assert document_at(merged.lunmap, path) == document_at(expected, path)
    assert set(merged.clashes) == {
        path for path in mine & other if document_at(ours, path) != document_at(theirs, path)
    }


@given(lunmaps(), lunmaps(), lunmaps())
def test_without_a_clash_the_order_does_not_matter(base: Lunmap, one: Lunmap, other: Lunmap) -> None:
    """With either of two writers as the later one, the map is the same."""
    first, second = merge_maps(base, one, other), merge_maps(base, other, one)
    assert first.clashes == second.clashes
    if not first.clashes:
        assert first.lunmap == second.lunmap


@given(lunmaps(), lunmaps(), lunmaps())
def test_values_are_merged_as_objects_are(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> None:
    """A value is ours where only we changed it, else theirs; both sides differ in clashing fields only."""
    merged = merge_fields(base, ours, theirs)
    clashes = {(clash.path, clash.field) for clash in merged.clashes}
    assert {path for path, _ in clashes} <= set(merge_maps(base, ours, theirs).clashes)
    paths = {change.path for lunmap in (ours, theirs) for change in diff_maps(base, lunmap)}
    for path in paths - {path for path, field in clashes if field == WHOLE}:
        was, our, their, with_ours, with_theirs = (
            leaves(field_values(document_at(lunmap, path)))
            for lunmap in (base, ours, theirs, merged.ours, merged.theirs)
        )
        for leaf in {leaf for leaf in {**was, **our, **their} if (path, leaf[0]) not in clashes}:
            chosen = (their if our.get(leaf) == was.get(leaf) else our).get(leaf)
            assert with_ours.get(leaf) == with_theirs.get(leaf)
            assert with_ours.get(leaf) == chosen or leaf[0] in INSEPARABLE


@given(lunmaps(), lunmaps())
def test_fields_of_one_side_alone_never_clash(base: Lunmap, ours: Lunmap) -> None:
    """Merging with an unchanged map, or with the same change, gives ours."""
    for theirs in (base, ours):
        merged = merge_fields(base, ours, theirs)
        assert (merged.ours, merged.theirs, merged.clashes) == (ours, ours, ())
