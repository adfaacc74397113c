"""Checks that several modules of the rules use."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from lunmapd.core.base.errors import Place, Problem, show_place
from lunmapd.core.base.text import nearest, suggestion

_MAX_COMPARED = 64

UniqueValue = tuple[object, Place, int]
"""A value that only one object may have, its place, and how many steps of the place name the object."""


def check_text(place: Place, checker: Callable[[str], str | None], value: str) -> Iterator[Problem]:
    """Report the sentence of a checker of names.py."""
    if sentence := checker(value):
        yield Problem(place, sentence)


def no_such(kind: str, name: str, known: Collection[str]) -> str:
    """Return that the map has no object of this kind and name, with the name that was probably meant.

    Of many names none is suggested: a large map may have a large number of such problems.
    """
    near = ""
    if len(known) <= _MAX_COMPARED:
        ends = [each for each in known if each.endswith(f":{name}")]
        near = ends[0] if len(ends) == 1 else nearest(name, known)
    return f"there is no {kind} {name!r}{suggestion(near)}"


def check_repeated(place: Place, what: str, values: Sequence[str]) -> Iterator[Problem]:
    """Report each second occurrence in a list."""
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Problem((*place, index), f"{what} {value!r} is given twice")
        seen.add(value)


def check_clashes(claims: Iterable[UniqueValue], sentence: str) -> Iterator[Problem]:
    """Report each second use of a value."""
    first: dict[object, tuple[Place, int]] = {}
    for value, place, steps in claims:
        if value in first:
            other, length = first[value]
            yield Problem(place, f"{sentence} {show_place(other[:length])}")
        else:
            first[value] = place, steps
