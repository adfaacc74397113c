"""Withhold steps of a plan, together with the steps that can't be executed without them."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import FailureTracker
from lunmapd.core.planning.plan import Action, Plan, Step

Withheld = Mapping[tuple[Action, lio_objects.Key], Failure]
"""The steps to withhold, each with the reason."""


class Permitted(Struct, frozen=True):
    """The steps that may be executed, and the reason for each object that has a step withheld."""

    steps: Plan
    held: Mapping[lio_objects.Key, Failure] = {}


def created_keys(steps: Iterable[Step]) -> set[lio_objects.Key]:
    """Return the keys of the objects that a plan creates, for the first time or again."""
    return {lio_objects.key_of(step.item) for step in steps if step.action is Action.CREATE}


def withhold_steps(steps: Plan, withheld: Withheld) -> Permitted:
    """Return the plan without the `withheld` steps and the steps that depend on them.

    An object that is replaced is not deleted if the step that creates it again is withheld. A Lun that gets
    another LUN number for an initiator gets both steps or none: without the deletion the initiator would have
    it under two numbers, without the creation under none.
    """
    if not withheld:
        return Permitted(steps)
    while True:
        permitted = _withhold(steps, withheld)
        # The reason is that of the creation.
        more = {(Action.DELETE, key): permitted.held[key] for key in _stranded(steps, permitted.steps)}
        more |= _other_halves(steps, permitted.steps)
        if not more:
            return permitted
        withheld = {**withheld, **more}


def _withhold(steps: Plan, withheld: Withheld) -> Permitted:
    tracker, held = FailureTracker(), dict[lio_objects.Key, Failure]()
    kept: list[Step] = []
    for step in steps:
        failure = withheld.get((step.action, lio_objects.key_of(step.item))) or tracker.waits(step)
        if failure is None:
            kept.append(step)
            continue
        held.setdefault(lio_objects.key_of(step.item), failure)
        if not lets_children_proceed(step, failure):
            tracker.record(step)
    return Permitted(tuple(kept), held)


def lets_children_proceed(step: Step, failure: Failure) -> bool:
    """Return whether objects that depend on a withheld one need not wait for it.

    Reported drift of the settings of a TPG does not stop the whole target. Settings that decide who gets
    access are repaired in any case (drift.py).
    """
    return (
        failure.reason == Reason.DRIFTED
        and step.action is Action.UPDATE
        and isinstance(step.item, lio_objects.Tpg)
    )


def _stranded(steps: Plan, kept: Plan) -> AbstractSet[lio_objects.Key]:
    """Return the keys of replaced objects that would be deleted and not created again."""
    gone = {lio_objects.key_of(step.item) for step in kept if step.action is Action.DELETE}
    return gone & created_keys(steps) - created_keys(kept)


def _other_halves(steps: Plan, kept: Plan) -> Withheld:
    """Return the kept steps that change the LUN number of a Lun, and whose other half is withheld."""
    permitted = {(step.action, lio_objects.key_of(step.item)) for step in kept}
    halves: dict[lio_objects.Key, dict[tuple[Action, lio_objects.Key], bool]] = {}
    for step in steps:
        if isinstance(step.item, lio_objects.MappedLun) and step.action is not Action.UPDATE:
            this = (step.action, lio_objects.key_of(step.item))
            halves.setdefault(lio_objects.mapping_of(step.item), {})[this] = this in permitted
    failure = Failure(Reason.WAITING, "waits for the change of the LUN number, which is held")
    return {
        this: failure
        for both in halves.values()
        if _is_renumbering(both) and not all(both.values())
        for this, is_kept in both.items()
        if is_kept
    }


def _is_renumbering(steps: Iterable[tuple[Action, lio_objects.Key]]) -> bool:
    """Return whether the steps, all of one Lun and one initiator, delete one number and create another."""
    deleted = {key for action, key in steps if action is Action.DELETE}
    created = {key for action, key in steps if action is Action.CREATE}
    return bool(deleted - created and created - deleted)
