"""Dividing what is too large for one transaction; pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Size(NamedTuple):
    """How much of a transaction something takes."""

    operations: int
    bytes: int

    def plus(self, other: "Size") -> "Size":
        """Return the size of both together."""
        return Size(self.operations + other.operations, self.bytes + other.bytes)

    def fits(self, limit: "Size") -> bool:
        """Tell whether neither number is above the limit's."""
        return self.operations <= limit.operations and self.bytes <= limit.bytes


def pack(items: Iterable[T], measure: Callable[[T], Size], limit: Size) -> Iterator[tuple[T, ...]]:
    """Divide items, in their order, into as few parts as fit the limit; one that is too large is a part of its own."""
    part: list[T] = []
    used = Size(0, 0)
    for item in items:
        size = measure(item)
        if part and not used.plus(size).fits(limit):
            yield tuple(part)
            part, used = [], Size(0, 0)
        part.append(item)
        used = used.plus(size)
    if part:
        yield tuple(part)
