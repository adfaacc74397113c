"""What became of the steps of a plan: failures, and the steps that must wait for them."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from lunmapd.core import lio
from lunmapd.core.plan import Action, Step


class Failure(Struct, frozen=True):
    """Why a step was not done. `reason` is one CamelCase word for programs, `message` a sentence for people."""

    reason: str
    message: str


class Report(Struct, frozen=True):
    """One step and what became of it; no failure means done."""

    step: Step
    failure: Failure | None = None


WAITING = "Waiting"
HELD = "Held"
DRIFTED = "Drifted"
BACKING_MISSING = "BackingDeviceMissing"
SIZE_MISMATCH = "SizeMismatch"

OF_BACKINGS = frozenset({BACKING_MISSING, SIZE_MISMATCH})
"""Why something of the map can't be had that is no matter of the map: what is behind a storage object."""


class Ledger:
    """Keeps which objects failed during one plan, so that only what stands on them waits and all else goes on."""

    def __init__(self) -> None:
        """Start with nothing failed."""
        self._failed: set[lio.Key] = set()

    def waits(self, step: Step) -> Failure | None:
        """Return why this step must wait for an object that failed, None when it may be done."""
        name = next((name for name in _needs(step) if name in self._failed), None)
        return None if name is None else Failure(WAITING, f"waits for {lio.show_key(name)}")

    def record(self, step: Step) -> None:
        """Note that the step failed or was left out: its object, and below a removal also what it stands on."""
        self._failed.add(lio.key(step.item))
        if step.action is Action.DELETE:
            names = (lio.key(step.item), *lio.parents(step.item))
            self._failed.update(("removal of", *name) for name in names)


def _needs(step: Step) -> Iterator[lio.Key]:
    yield lio.key(step.item)
    if step.action is Action.DELETE:
        yield ("removal of", *lio.key(step.item))
        if closing := lio.answered_until(step.item):
            yield ("removal of", *closing)
    else:
        yield from lio.parents(step.item)


def failures(reports: Iterable[Report]) -> dict[lio.Key, Failure]:
    """Return the failing objects with the first failure of each."""
    found: dict[lio.Key, Failure] = {}
    for report in reports:
        if report.failure is not None:
            found.setdefault(lio.key(report.step.item), report.failure)
    return found
