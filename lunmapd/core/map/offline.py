"""Checking a map file by itself: its form, and every rule that needs no tree. Pure.

What a commit takes from the tree if a file omits it (serials, port ids, passwords) counts as given.
"""

from itertools import count
from typing import NamedTuple

from msgspec import structs

from lunmapd.core.base.errors import InvalidInputError, Place, Problem
from lunmapd.core.base.lunmap import EMPTY_MAP, Chap, Lunmap
from lunmapd.core.base.plain_values import related
from lunmapd.core.map.credentials import change_credentials
from lunmapd.core.map.fill_in import fill_in
from lunmapd.core.map.mapfile import read_map
from lunmapd.core.map.rules import check_changes, check_map, map_warnings
from lunmapd.core.map.rules.floating import check_moved_addresses
from lunmapd.core.map.source import line_of

_SEALED = f"v1:{'0' * 8}:{'A' * 38}"
"""Stands for a password that the tree may have."""


class Checked(NamedTuple):
    """A map file, with its problems and warnings, each with its line and in their order."""

    lunmap: Lunmap
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


def check_map_file(text: str, name: str, former: Lunmap | None = None) -> Checked:
    """Return the problems of a map file; a mistake of form hides no broken rule of another field.

    With `former`, the map before it, a change that a commit may not make is a problem too.
    """
    try:
        read = read_map(text, name)
    except InvalidInputError as error:
        return Checked(EMPTY_MAP, error.problems)
    reported = [*read.source.unusable, *(problem.about for problem in read.form)]
    if any(map(_is_wide, reported)):
        return Checked(read.lunmap, tuple(read.source.with_form(read.form)))
    filled = filled_offline(read.lunmap, former or EMPTY_MAP)
    broken = check_map(filled)
    if former is not None:
        broken = (*broken, *check_changes(former, filled), *check_moved_addresses(former, filled))
    located = [
        [
            read.source.problem(problem.place, problem.message)
            for problem in found
            if not any(related(problem.place, place) for place in reported)
        ]
        for found in (broken, map_warnings(filled))
    ]
    problems = (*read.source.with_form(read.form), *located[0])
    return Checked(read.lunmap, tuple(sorted(problems, key=line_of)), tuple(located[1]))


def _is_wide(place: Place) -> bool:
    """Return whether the rules of many objects depend on the value at a place: then none is checked."""
    return len(place) <= 1 or (place[0] == "targets" and place[2:3] in {(), ("nodes",)})


def filled_offline(lunmap: Lunmap, former: Lunmap = EMPTY_MAP) -> Lunmap:
    """Return a map with values for all that a commit fills in; `former` is the map before it."""
    numbers = count(1)

    def sealed(_path: str, _field: str, chap: Chap) -> Chap:
        return structs.replace(chap, password=chap.password or _SEALED)

    return change_credentials(fill_in(lunmap, former, lambda: f"{next(numbers):025x}"), sealed)
