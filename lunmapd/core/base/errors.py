"""The errors that people see: each says what is wrong, where, and what to do next."""

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar

from msgspec import Struct

from lunmapd.core.base.lunmap import SECTIONS
from lunmapd.core.base.reasons import Reason


class Exit(IntEnum):
    """Exit codes of the command lines; documented in docs/exit-codes.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    CONFLICT = 4
    UNREACHABLE = 5
    DEGRADED = 6
    UNUSABLE = 7


class LunmapdError(Exception):
    """Root of every error that lunmapd raises on purpose; its text is fit to be shown to an admin."""

    exit_code = Exit.FAILED


class ConditionError(LunmapdError):
    """Root of the errors that a node's status reports: `reason` is that of the condition.

    Each class declares its own as in `class LostError(ConditionError, reason=Reason.LOST)`; None is for a class that only
    groups others and is never raised itself.
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
    """Print a place in a document: `("luns", "db1", "maps", 0)` is `luns[db1].maps[0]`; names of objects have dots."""
    if not place:
        return "(top level)"
    names_follow = place[0] in SECTIONS
    text = str(place[0])
    for depth, step in enumerate(place[1:]):
        in_brackets = isinstance(step, int) or (depth == 0 and names_follow)
        text += f"[{step}]" if in_brackets else f".{step}"
    return text


class Problem(Struct, frozen=True, order=True):
    """One thing that is wrong with one field of a map. `place` is the path to it, `source` is `file:line` if known."""

    place: Place
    message: str
    source: str = ""

    def __str__(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        return f"{prefix}{show_place(self.place)}: {self.message}"


class InvalidInputError(LunmapdError):
    """A map or settings file that breaks a rule; `problems` holds every one that was found."""

    exit_code = Exit.INVALID

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnusableFilesError(InvalidInputError):
    """Nothing is wrong with the settings but files that they name, which may come or be put right without them."""

    exit_code = Exit.UNUSABLE
