"""A figure: a measured value, the bare price beside it, and the goal for the ratio of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class AtMost:
    """A goal of at most `value`."""

    value: float

    def met(self, value: float) -> bool:
        """Return whether the goal is met."""
        return value <= self.value

    def __str__(self) -> str:
        return f"<= {self.value:g}"


@dataclass(frozen=True)
class AtLeast:
    """A goal of at least `value`."""

    value: float

    def met(self, value: float) -> bool:
        """Return whether the goal is met."""
        return value >= self.value

    def __str__(self) -> str:
        return f">= {self.value:g}"


@dataclass(frozen=True)
class Measured:
    """One measured figure.

    `value` is compared with the goal; `ours` and `bare` are for people, with their units.
    """

    value: float
    ours: str
    bare: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure: its name in build/bench.json, a sentence for people, its goal, and how it is measured.

    `measure` is called once and takes at most a few minutes; it raises LabError or AssertionError if it can't
    be measured.
    """

    name: str
    says: str
    goal: AtMost | AtLeast
    measure: Callable[[], Measured]


def seconds(value: float) -> str:
    """Print a time with three digits that count."""
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


def times_bare(ours: float, bare: float, note: str = "") -> Measured:
    """Compare two times in seconds, ours as a multiple of the bare one."""
    return Measured(ours / bare, seconds(ours), seconds(bare), note)


def times_faster(ours: float, other: float, note: str = "") -> Measured:
    """Compare two times in seconds: by how much ours is shorter."""
    return Measured(other / ours, seconds(ours), seconds(other), note)
