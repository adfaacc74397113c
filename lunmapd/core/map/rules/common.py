"""Checks that several modules of the rules use."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from lunmapd.core.base.errors import Place, Problem

UniqueValue = tuple[object, Place, str]
"""A value that only one object may have, its place, and the object in words."""


def check_text(place: Place, checker: Callable[[str], str | None], value: str) -> Iterator[Problem]:
    """Report the sentence of a checker of names.py."""
    if sentence := checker(value):
        yield Problem(place, sentence)


def check_repeated(place: Place, what: str, values: Sequence[str]) -> Iterator[Problem]:
    """Report each second occurrence in a list."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Problem((*place, index), f"{what} {value!r} is given twice")
        seen.add(value)


def check_clashes(claims: Iterable[UniqueValue], sentence: str) -> Iterator[Problem]:
    """Report each second use of a value."""
    first: dict[object, str] = {}
    for value, place, who in claims:
        if value in first:
            yield Problem(place, f"{sentence} {first[value]}")
        else:
            first[value] = who
