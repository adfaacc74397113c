"""Leaving steps out of a plan, each with all that can't be done without it."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import FailureTracker
from lunmapd.core.planning.plan import Action, Plan, Step

Withheld = Mapping[tuple[Action, lio_objects.Key], Failure]


class Permitted(Struct, frozen=True):
    """The steps that may be done, and why the others may not."""

    steps: Plan
    held: Mapping[lio_objects.Key, Failure] = {}


def created_keys(steps: Iterable[Step]) -> set[lio_objects.Key]:
    """Return what a plan makes, for the first time or anew."""
    return {lio_objects.key_of(step.item) for step in steps if step.action is Action.CREATE}


def withhold_steps(steps: Plan, refused: Withheld) -> Permitted:
    """Leave out what is refused, what stands on it, and the removal of what could then not be made again."""
    if not refused:
        return Permitted(steps)
    while True:
        permitted = _sift(steps, refused)
        stranded = _stranded(steps, permitted.steps)
        if not stranded:
            return permitted
        again = Failure(Reason.WAITING, "could not be made again")
        refused = {**refused, **{(Action.DELETE, name): again for name in stranded}}


def _sift(steps: Plan, refused: Withheld) -> Permitted:
    ledger, held = FailureTracker(), dict[lio_objects.Key, Failure]()
    kept: list[Step] = []
    for step in steps:
        failure = refused.get((step.action, lio_objects.key_of(step.item))) or ledger.waits(step)
        if failure is None:
            kept.append(step)
            continue
        held.setdefault(lio_objects.key_of(step.item), failure)
        if not lets_children_proceed(step, failure):
            ledger.record(step)
    return Permitted(tuple(kept), held)


def lets_children_proceed(step: Step, failure: Failure) -> bool:
    """Tell whether what stands on the object need not wait: a whole target must not, for a setting that somebody changed in its TPG.

    Settings that decide who gets in are put right all the same, see drift.py.
    """
    return (
        failure.reason == Reason.DRIFTED
        and step.action is Action.UPDATE
        and isinstance(step.item, lio_objects.Tpg)
    )


def _stranded(steps: Plan, kept: Plan) -> AbstractSet[lio_objects.Key]:
    """Find what would be removed and not made again, though it is to be."""
    gone = {lio_objects.key_of(step.item) for step in kept if step.action is Action.DELETE}
    return gone & created_keys(steps) - created_keys(kept)
