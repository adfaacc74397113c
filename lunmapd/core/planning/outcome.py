"""The outcomes of the steps of a plan: failures, and the steps that wait for a failed object."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Action, Plan, Step


class StepOutcome(Struct, frozen=True):
    """A step and its outcome: done if there is no failure."""

    step: Step
    failure: Failure | None = None


class FailureTracker:
    """Records which objects failed in one plan, so that only the objects that depend on them wait."""

    def __init__(self) -> None:
        """Start without a failure."""
        self._failed: set[lio_objects.Key] = set()

    def waits(self, step: Step) -> Failure | None:
        """Return why this step must wait for a failed object, None if it need not wait."""
        key = next((key for key in _needs(step) if key in self._failed), None)
        return None if key is None else Failure(Reason.WAITING, f"waits for {lio_objects.show_key(key)}")

    def record(self, step: Step) -> None:
        """Record that the step failed or was withheld.

        If it is a removal, the object's parents can't be deleted either.
        """
        self._failed.add(lio_objects.key_of(step.item))
        if step.action is Action.DELETE:
            keys = (lio_objects.key_of(step.item), *lio_objects.parents_of(step.item))
            self._failed.update(("removal of", *key) for key in keys)


def _needs(step: Step) -> Iterator[lio_objects.Key]:
    yield lio_objects.key_of(step.item)
    if step.action is Action.DELETE:
        yield ("removal of", *lio_objects.key_of(step.item))
        if closing := lio_objects.answering_tpg(step.item):
            yield ("removal of", *closing)
    else:
        yield from lio_objects.parents_of(step.item)


def failures_of(outcomes: Iterable[StepOutcome]) -> dict[lio_objects.Key, Failure]:
    """Return the first failure of each object that has one, by its key."""
    failures: dict[lio_objects.Key, Failure] = {}
    for outcome in outcomes:
        if outcome.failure is not None:
            failures.setdefault(lio_objects.key_of(outcome.step.item), outcome.failure)
    return failures


_KEPT = frozenset({Reason.HELD, Reason.MOVING, Reason.BACKING_REPLACED})
"""The reasons with which an object stays as it was, and initiators use it so."""


def kept_objects(
    failures: Mapping[lio_objects.Key, Failure], left: Plan, observed: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Return the keys of the objects with a held change that stay as they were, and are used so.

    Objects of a Lun of which something is missing are not among them. `left` are the steps that remain. The
    cost depends on the node's objects only if a change is held.
    """
    if not any(failure.reason in _KEPT for failure in failures.values()):
        return frozenset()
    mapped = {
        lio_objects.mapping_of(item) for item in observed.values() if isinstance(item, lio_objects.MappedLun)
    }
    lacking = {
        lio_objects.lun_served_by(step.item) for step in left if _is_missing(step, observed, mapped)
    } - {None}
    luns = {lio_objects.key_of(step.item): lio_objects.lun_served_by(step.item) for step in left}
    return {
        key
        for key, failure in failures.items()
        if failure.reason in _KEPT
        and (item := observed.get(key)) is not None
        and lio_objects.lun_served_by(item) == luns.get(key)
        and luns.get(key) not in lacking
    }


def _is_missing(step: Step, observed: lio_objects.Objects, mapped: AbstractSet[lio_objects.Key]) -> bool:
    """Return whether the step creates an object that is absent, other than another number of a mapped LUN."""
    item = step.item
    if step.action is not Action.CREATE or lio_objects.key_of(item) in observed:
        return False
    return not isinstance(item, lio_objects.MappedLun) or lio_objects.mapping_of(item) not in mapped
