"""Splitting a commit that is too large for one transaction."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

_T = TypeVar("_T")


class TransactionSize(NamedTuple):
    """The number of operations and of bytes in a transaction."""

    operations: int
    bytes: int

    def plus(self, other: "TransactionSize") -> "TransactionSize":
        """Return the sum of two sizes."""
        return TransactionSize(self.operations + other.operations, self.bytes + other.bytes)

    def fits(self, limit: "TransactionSize") -> bool:
        """Return whether neither number exceeds the limit's."""
        return self.operations <= limit.operations and self.bytes <= limit.bytes


def split_into_batches(
    items: Iterable[_T], measure: Callable[[_T], TransactionSize], limit: TransactionSize
) -> Iterator[tuple[_T, ...]]:
    """Yield the items, in their order, in as few parts as fit the limit.

    An item above the limit is a part of its own.
    """
    part: list[_T] = []
    used = TransactionSize(0, 0)
    for item in items:
        size = measure(item)
        if part and not used.plus(size).fits(limit):
            yield tuple(part)
            part, used = [], TransactionSize(0, 0)
        part.append(item)
        used = used.plus(size)
    if part:
        yield tuple(part)
