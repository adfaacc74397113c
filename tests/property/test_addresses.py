"""Laws of LUN addresses."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.map_change import change_between, with_few_luns
from lunmapd.core.map.addresses import left_addresses, new_addresses, occupants_of
from lunmapd.core.planning.former import new_record, record_change
from support.strategies import NODES, lunmaps


@given(lunmaps(), lunmaps())
def test_the_difference_is_that_of_all_addresses(before: Lunmap, after: Lunmap) -> None:
    """Comparing only the Luns that differ finds the same as comparing all addresses of both maps."""
    old, new = occupants_of(before, before.luns), occupants_of(after, after.luns)
    kept = {address for address in old.keys() & new.keys() if old[address].serial == new[address].serial}
    assert left_addresses(before, after) == {key: value for key, value in old.items() if key not in kept}
    assert new_addresses(before, after) == {key: value for key, value in new.items() if key not in kept}


@given(lunmaps(), lunmaps(), st.sampled_from(NODES))
def test_a_record_needs_only_the_luns_of_the_change(before: Lunmap, after: Lunmap, node: str) -> None:
    """Without the Luns that do not differ, the node records the same former occupants and hosts."""
    record = new_record(before, node, 1)
    was, now = with_few_luns((before, after), change_between(before, after).objects)
    assert record_change(record, was, now, node, 2) == record_change(record, before, after, node, 2)
