"""What became of the steps of a plan: failures, and the steps that must wait for them."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Action, Step


class StepOutcome(Struct, frozen=True):
    """One step and what became of it; no failure means done."""

    step: Step
    failure: Failure | None = None


class FailureTracker:
    """Keeps which objects failed during one plan, so that only what stands on them waits and all else goes on."""

    def __init__(self) -> None:
        """Start with nothing failed."""
        self._failed: set[lio_objects.Key] = set()

    def waits(self, step: Step) -> Failure | None:
        """Return why this step must wait for an object that failed, None when it may be done."""
        name = next((name for name in _needs(step) if name in self._failed), None)
        return None if name is None else Failure(Reason.WAITING, f"waits for {lio_objects.show_key(name)}")

    def record(self, step: Step) -> None:
        """Note that the step failed or was left out: its object, and below a removal also what it stands on."""
        self._failed.add(lio_objects.key_of(step.item))
        if step.action is Action.DELETE:
            names = (lio_objects.key_of(step.item), *lio_objects.parents_of(step.item))
            self._failed.update(("removal of", *name) for name in names)


def _needs(step: Step) -> Iterator[lio_objects.Key]:
    yield lio_objects.key_of(step.item)
    if step.action is Action.DELETE:
        yield ("removal of", *lio_objects.key_of(step.item))
        if closing := lio_objects.answering_tpg(step.item):
            yield ("removal of", *closing)
    else:
        yield from lio_objects.parents_of(step.item)


def failures_of(reports: Iterable[StepOutcome]) -> dict[lio_objects.Key, Failure]:
    """Return the failing objects with the first failure of each."""
    found: dict[lio_objects.Key, Failure] = {}
    for report in reports:
        if report.failure is not None:
            found.setdefault(lio_objects.key_of(report.step.item), report.failure)
    return found
