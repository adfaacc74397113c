"""The root of the errors that users see: each says what is wrong, where, and what to do next."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.root_error import Exit, LunmapdError
from lunmapd.core.base.sections import SECTION_NAMES
from lunmapd.core.base.text import sum_alike

__all__ = [
    "ConditionError",
    "Exit",
    "InvalidInputError",
    "LunmapdError",
    "Place",
    "PlaceStep",
    "Problem",
    "UnusableFilesError",
    "problem_lines",
    "show_place",
    "sum_problems",
]


class ConditionError(LunmapdError):
    """Root of the errors that a node's status reports; `reason` is the reason of the condition.

    Each class declares its reason, as in `class LostError(ConditionError, reason=Reason.LOST)`. A class that
    only groups others, and is never raised itself, declares None.
    """

    reason: ClassVar[Reason]

    def __init_subclass__(cls, *, reason: Reason | None) -> None:
        """Set `reason`."""
        super().__init_subclass__()
        if reason is not None:
            cls.reason = reason


PlaceStep = str | int
Place = tuple[PlaceStep, ...]


def show_place(place: Place) -> str:
    """Return a place in a document as text: `("luns", "db1", "maps", 0)` is `luns[db1].maps[0]`.

    The name of an object is in brackets, since it may have dots.
    """
    if not place:
        return "(top level)"
    names_follow = place[0] in SECTION_NAMES
    text = str(place[0])
    for depth, step in enumerate(place[1:]):
        in_brackets = isinstance(step, int) or (depth == 0 and names_follow)
        text += f"[{step}]" if in_brackets else f".{step}"
    return text


class Problem(Struct, frozen=True, order=True):
    """A problem of one field of a map or of the settings.

    `place` is the path to the field, `source` is `file:line` or "".
    """

    place: Place
    message: str
    source: str = ""

    def __str__(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        return f"{prefix}{show_place(self.place)}: {self.message}"


def sum_problems(problems: Iterable[Problem]) -> Iterator[tuple[Problem, str]]:
    """Yield each problem with the end of its line: of more than three with the same words only the first."""
    return sum_alike(problems, lambda problem: problem.message, lambda problem: show_place(problem.place))


def problem_lines(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a line for each problem; of more than three with the same words, apart from numbers, one line."""
    return (f"{problem}{others}" for problem, others in sum_problems(problems))


class InvalidInputError(LunmapdError):
    """A map or settings file has problems; `problems` are all of them."""

    exit_code = Exit.INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def lines(self) -> tuple[str, ...]:
        """The problems, one a line, those that are alike in one; the text of the error has all."""
        return tuple(problem_lines(self.problems))


class UnusableFilesError(InvalidInputError):
    """The settings are valid, but files that they name are missing or unusable; they may be mended later."""

    exit_code = Exit.UNUSABLE
