"""Dividing a large commit: nothing, and what is too large."""

from lunmapd.core.history.batching import TransactionSize, split_into_batches

LIMIT = TransactionSize(10, 100)


def test_nothing_has_no_part() -> None:
    """No part is empty."""
    assert list(split_into_batches([], lambda item: item, LIMIT)) == []


def test_what_is_too_large_is_a_part_of_its_own() -> None:
    """An item above the limit is a part of its own, for the caller to refuse."""
    small, huge = TransactionSize(1, 1), TransactionSize(1, 1000)
    assert list(split_into_batches([small, huge, small], lambda item: item, LIMIT)) == [
        (small,),
        (huge,),
        (small,),
    ]
