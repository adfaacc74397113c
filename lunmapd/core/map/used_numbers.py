"""Numbers that were used once: as ranges, exact for all of history, and the newest uses by name. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import filterfalse
from typing import NamedTuple

from msgspec import Struct

NumberRange = tuple[int, int]
"""The first and the last number of a range."""


class FormerUse(NamedTuple):
    """What a number stood for until `revision`, the commit that ended it.

    `name` is for people; `identity` distinguishes two uses. For a LUN number they are the name and the serial
    of the Lun, for a port id the node and `TARGET NODE`, for a TPG tag twice the node.
    """

    number: int
    name: str
    identity: str
    revision: int


class UsedNumbers(Struct, frozen=True, omit_defaults=True):
    """Numbers whose use ended: all of them as ascending ranges, and the last use of some, by number."""

    used: tuple[NumberRange, ...] = ()
    former: tuple[FormerUse, ...] = ()

    def __contains__(self, number: object) -> bool:
        """Return whether a use of the number ended."""
        return isinstance(number, int) and any(first <= number <= last for first, last in self.used)

    def last_use(self, number: int) -> FormerUse | None:
        """Return the last use of a number, None if it is not named any more."""
        return next((use for use in self.former if use.number == number), None)


UNUSED = UsedNumbers()


def with_ended_uses(numbers: UsedNumbers, ended: Iterable[FormerUse]) -> UsedNumbers:
    """Return the numbers with these uses ended as well; of two uses of a number the newer one is kept.

    So the order in which uses are added makes no difference.
    """
    last = {use.number: use for use in numbers.former}
    ranges = list(numbers.used)
    for use in ended:
        ranges.append((use.number, use.number))
        if use.number not in last or last[use.number].revision < use.revision:
            last[use.number] = use
    return UsedNumbers(merge_ranges(ranges), tuple(last[number] for number in sorted(last)))


def merge_ranges(ranges: Iterable[NumberRange]) -> tuple[NumberRange, ...]:
    """Return ranges in ascending order, those that overlap or touch as one."""
    return tuple(_merged(ranges))


def _merged(ranges: Iterable[NumberRange]) -> Iterator[NumberRange]:
    current: NumberRange | None = None
    for first, last in sorted(ranges):
        if current is not None and first <= current[1] + 1:
            current = (current[0], max(current[1], last))
            continue
        if current is not None:
            yield current
        current = (first, last)
    if current is not None:
        yield current


def with_newest_uses(every: Mapping[str, UsedNumbers], most: int) -> dict[str, UsedNumbers]:
    """Return the sets of numbers with the `most` newest named uses of all sets together."""
    dated = sorted((use.revision, key, use) for key, numbers in every.items() for use in numbers.former)
    kept = {(key, use) for _, key, use in dated[max(0, len(dated) - most) :]}
    return {
        key: UsedNumbers(numbers.used, tuple(use for use in numbers.former if (key, use) in kept))
        for key, numbers in sorted(every.items())
    }


def unused_numbers(candidates: Iterable[int], used: UsedNumbers, taken: Collection[int]) -> Iterator[int]:
    """Yield those of the candidates that are neither in `taken` nor in `used`, lazily."""
    return filterfalse(lambda number: number in taken or number in used, candidates)
