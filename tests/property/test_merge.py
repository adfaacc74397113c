"""Laws of bringing two changes of one map together."""

from hypothesis import given

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import diff_maps, document_at
from lunmapd.core.history.merge import merge_maps
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
