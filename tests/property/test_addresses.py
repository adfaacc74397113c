"""Laws of LUN addresses."""

from hypothesis import given

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map.addresses import left_addresses, new_addresses, occupants_of
from support.strategies import lunmaps


@given(lunmaps(), lunmaps())
def test_the_difference_is_that_of_all_addresses(before: Lunmap, after: Lunmap) -> None:
    """Comparing only the Luns that differ finds the same as comparing all addresses of both maps."""
    old, new = occupants_of(before, before.luns), occupants_of(after, after.luns)
    kept = {address for address in old.keys() & new.keys() if old[address].serial == new[address].serial}
    assert left_addresses(before, after) == {key: value for key, value in old.items() if key not in kept}
    assert new_addresses(before, after) == {key: value for key, value in new.items() if key not in kept}
