"""Running sequences, and finding the shortest one that still breaks a law."""

import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from fuzz.events import Event, happen, sequence
from fuzz.laws import ViolationError
from fuzz.world import Lio, World

Start = Callable[[], Lio]
MEMORY = ("fileio", "fileio", "block", "ramdisk")
"""The kinds of backings on a fake LIO."""


class Run(NamedTuple):
    """The passes and steps of a sequence, and the law that it breaks, "" for none.

    `place` is the place of the code where that was found.
    """

    passes: int
    steps: int
    broken: str
    place: str


def run(events: Sequence[Event], start: Start, kinds: tuple[str, ...]) -> Run:
    """Run the events on a new LIO, and then settle."""
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory), start(), kinds)
        try:
            for event in events:
                happen(world, event)
            world.settle()
        except ViolationError as error:
            return Run(world.passes, world.steps, str(error), _place(error))
        except Exception as error:  # noqa: BLE001 - an unexpected error of lunmapd breaks a law
            text = "".join(traceback.format_exception(error)[-6:])
            return Run(world.passes, world.steps, f"unexpected error\n{text}", _place(error))
        return Run(world.passes, world.steps, "", "")


def _place(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.name}:{frame.lineno}"


def shortest(events: Sequence[Event], start: Start, kinds: tuple[str, ...]) -> list[Event]:
    """Return the events without those that are not needed to break the same law."""
    place = run(events, start, kinds).place
    left, size = list(events), len(events)
    while size:
        size //= 2
        for at in range(len(left), -1, -max(size, 1)):
            fewer = left[:at] + left[at + max(size, 1) :]
            if len(fewer) < len(left) and run(fewer, start, kinds).place == place:
                left = fewer
    return left


class Found(NamedTuple):
    """A seed whose sequence breaks a law, and the events that are needed for it."""

    seed: int
    run: Run
    events: list[Event]

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.run.broken}",
            "after",
            *(f"    {each.name} {each.choice}" for each in self.events),
        ]
        return "\n".join(lines)


class Count:
    """What was tried."""

    def __init__(self) -> None:
        self.sequences = self.passes = self.steps = 0

    def __str__(self) -> str:
        return f"{self.sequences} sequences, {self.passes} passes, {self.steps} steps"


def search(  # noqa: PLR0913 - a kernel is too slow for shorter sequences
    seed: int, steps: int, start: Start, kinds: tuple[str, ...], count: Count, *, is_shortened: bool = True
) -> Found | None:
    """Run the sequences of `seed` and the seeds after it until so many steps were made."""
    while count.steps < steps:
        events = sequence(seed)
        result = run(events, start, kinds)
        count.sequences += 1
        count.passes += result.passes
        count.steps += result.steps
        if result.broken:
            return Found(seed, result, shortest(events, start, kinds) if is_shortened else events)
        seed += 1
    return None
