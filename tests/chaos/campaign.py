"""Writers with a number of edits to make, and the nemesis upon them until they are done."""

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from chaos.checker import violations
from chaos.fault_injector import FaultInjector
from chaos.harness import Harness
from chaos.history import History, Violation, records_around
from lunmapd.core.base.documents import encode

_POLL = 0.05


class Campaign(Struct, frozen=True):
    """How many writers make how many edits, and how long each thinks at most between two, in seconds."""

    writers: int
    edits: int
    think: float


def run_campaign(
    harness: Harness, plan: Campaign, tell: Callable[[FaultInjector], None] = lambda _: None
) -> History:
    """Let the writers make their edits under random faults, call `tell` meanwhile, and return the history."""
    injector = FaultInjector(harness, f"{harness.seed}/faults")
    left = iter(range(plan.edits))

    def another() -> bool:
        return next(left, None) is not None

    def pause(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while harness.writing and time.monotonic() < until:
            time.sleep(_POLL)
            tell(injector)
        return not harness.writing

    harness.start_writers(plan.writers, another, plan.think)
    injector.run(pause)
    harness.join_writers()
    harness.settle()
    return harness.history()


def save(history: History, found: tuple[Violation, ...], directory: Path) -> None:
    """Write the whole history, and of each violation its sentence and the records around it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "history.json").write_bytes(encode(history))
    with (directory / "violations.txt").open("wb") as file:
        for violation in found:
            file.write(f"{violation}\n".encode())
            file.writelines(b"    " + encode(record) + b"\n" for record in records_around(history, violation))


def check_history(
    history: History, directory: Path, known: tuple[Violation, ...] = ()
) -> tuple[Violation, ...]:
    """Check a history, and return its violations together with the `known` ones.

    The history is saved only if there is a violation.
    """
    found = (*known, *violations(history))
    if found:
        save(history, found, directory)
    return found
