"""Problems and warnings of a map as text, those that say the same of many objects in one line."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from lunmapd.core.base.errors import Problem, show_place
from lunmapd.core.base.text import first_of

_MAX_EQUAL = 3
_NUMBER = re.compile(r"\d+")


def problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a line for each problem; of more than three with the same words, apart from numbers, one line."""
    alike = defaultdict[str, list[Problem]](list)
    for problem in problems:
        alike[_NUMBER.sub("0", problem.message)].append(problem)
    for first, *others in alike.values():
        if len(others) < _MAX_EQUAL:
            yield from map(str, (first, *others))
        else:
            places = [show_place(problem.place) for problem in others]
            yield f"{first} ({len(others):,} more such: {first_of(places, _MAX_EQUAL)})"
