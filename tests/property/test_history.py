"""Laws of going back in the history."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Initiator, Lunmap
from lunmapd.core.history.changes import Revision, diff_maps, differing_names, patch_map, patch_map_digest
from lunmapd.core.history.digest import show_digest
from lunmapd.core.history.spans import invert_changes, objects_at, span_of
from support.digests import map_digest
from support.strategies import lunmaps


def history(maps: list[Lunmap]) -> list[Revision]:
    """Make the revisions that lead from each map to the next one, newest first."""
    pairs = pairwise(maps)
    return [
        Revision(number, show_digest(map_digest(after)), "ann", "", "", diff_maps(before, after))
        for number, (before, after) in enumerate(pairs, 1)
    ][::-1]


@given(st.lists(lunmaps(), min_size=1, max_size=4))
def test_revisions_put_together_lead_there_and_back(maps: list[Lunmap]) -> None:
    """All revisions merged lead from the first map to the last, and their inverse back, with the digests."""
    newer = history(maps)
    found = span_of(len(newer), newer)
    assert found.oldest == 1
    assert patch_map(maps[0], found.changes) == maps[-1]
    assert patch_map(maps[-1], invert_changes(found.changes)) == maps[0]
    assert patch_map_digest(map_digest(maps[-1]), invert_changes(found.changes)) == map_digest(maps[0])


def test_no_revisions_are_no_change() -> None:
    """A span of nothing begins after the newest revision."""
    assert (span_of(7, []).oldest, span_of(7, []).changes) == (8, ())


@given(st.lists(lunmaps(), min_size=1, max_size=4), st.data())
def test_what_revisions_touched_is_told_as_it_was(maps: list[Lunmap], data: st.DataObject) -> None:
    """Each object that any revision changed is listed as the map of the chosen revision has it."""
    target = data.draw(st.integers(0, len(maps) - 1))
    then = {f"{section}/{name}": encode(document) for section, name, document in maps[target].documents()}
    oldest_first = history(maps)[::-1]
    touched = {change.path for revision in oldest_first for change in revision.changes}
    assert objects_at(target, oldest_first) == {path: then.get(path) for path in touched}


@given(lunmaps(), lunmaps())
def test_the_inverse_of_an_inverse_is_the_change(before: Lunmap, after: Lunmap) -> None:
    """Turning changes round twice gives them back in their order."""
    changes = diff_maps(before, after)
    assert invert_changes(invert_changes(changes)) == changes


@given(st.integers(0, 150), st.sets(st.integers(0, 149)), st.sampled_from((1, -1)))
def test_the_names_that_differ_are_found_in_any_order(count: int, changed: set[int], step: int) -> None:
    """Documents that are equal, the same object or not, are no difference; others are, at any place."""
    before = {f"h{number}": Initiator() for number in range(count)}
    after = {f"h{number}": Initiator("x") if number in changed else Initiator() for number in range(count)}
    after = dict(list(after.items())[::step])
    assert differing_names(before, after) == {f"h{number}" for number in changed if number < count}
