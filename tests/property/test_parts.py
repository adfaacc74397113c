"""Laws of dividing a large commit."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.history.batching import TransactionSize, split_into_batches

SIZES = st.builds(TransactionSize, st.integers(0, 5), st.integers(0, 50))
LIMIT = TransactionSize(10, 100)


def total(part: tuple[TransactionSize, ...]) -> TransactionSize:
    """Return the size of a part."""
    return TransactionSize(sum(size.operations for size in part), sum(size.bytes for size in part))


@given(st.lists(SIZES))
def test_parts_are_the_whole_in_order(items: list[TransactionSize]) -> None:
    """No item is lost, doubled or moved, and no part is empty."""
    parts = list(split_into_batches(items, lambda item: item, LIMIT))
    assert [item for part in parts for item in part] == items
    assert all(parts)


@given(st.lists(SIZES))
def test_parts_fit_and_are_not_too_many(items: list[TransactionSize]) -> None:
    """Each part fits the limit, and no two neighbours would fit into one by their first item."""
    parts = list(split_into_batches(items, lambda item: item, LIMIT))
    assert all(total(part).fits(LIMIT) for part in parts)
    for part, following in pairwise(parts):
        assert not total((*part, following[0])).fits(LIMIT)
