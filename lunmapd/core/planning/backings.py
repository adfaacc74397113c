"""Storage objects that have opened something else than their path leads to now.

- The opened device is gone for good (Opened.GONE): the initiators get errors alone, so the storage object is
  made anew like any other that is replaced, however many there are.
- The path leads to other data (Opened.OTHER): the data of the initiators are in what was opened, so nothing
  is replaced unless an override allows it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.other_data import Reuse
from lunmapd.core.planning.plan import Action, Disruption, Plan, Step
from lunmapd.core.planning.withhold import Permitted, withhold_steps


def withhold_other_data(steps: Plan, observed: Observed, reuse: Reuse) -> Permitted:
    """Withhold the replacement of storage objects whose path leads to other data.

    `reuse` names the Luns for which an override of the class other-data allows it. A storage object that is
    only removed, or that gets another path by the map, is none of them.
    """
    failures = {
        lio_objects.key_of(step.item): _failure(step.item, observed.backings)
        for step in steps
        if opens_other_data(step, observed.objects)
        and isinstance(step.item, lio_objects.StorageObject)
        and not reuse.allows(step.item.name)
    }
    return withhold_steps(
        steps,
        {
            (action, key): failure
            for key, failure in failures.items()
            for action in (Action.DELETE, Action.CREATE)
        },
    )


def opens_other_data(step: Step, observed: lio_objects.Objects) -> bool:
    """Return whether a step creates a storage object anew whose path leads to other data than it did."""
    item, before = step.item, observed.get(lio_objects.key_of(step.item))
    return (
        step.action is Action.CREATE
        and isinstance(item, lio_objects.StorageObject)
        and isinstance(before, lio_objects.StorageObject)
        and before.opened is lio_objects.Opened.OTHER
        and before.path == item.path
    )


def _failure(item: lio_objects.StorageObject, backings: Mapping[str, BackingFacts]) -> Failure:
    facts = backings.get(item.name, BackingFacts())
    return Failure(
        Reason.BACKING_REPLACED,
        f"{item.path} now leads to {facts.other or 'other data'}, and the initiators keep using what was "
        "opened before: put that back under its path; or unmap the Lun; or, if the data at the path are the "
        f"right ones, allow it by 'lunmapctl override {Disruption.OTHER_DATA.word} --lun {item.name}'",
    )


def returned_keys(
    desired: lio_objects.Objects, observed: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Return the keys of the desired objects of Luns whose device is gone for good and has returned."""
    luns = {
        item.name
        for item in observed.values()
        if isinstance(item, lio_objects.StorageObject) and item.opened is lio_objects.Opened.GONE
    }
    if not luns:
        return frozenset()
    return {
        key for key, item in observed.items() if key in desired and lio_objects.lun_served_by(item) in luns
    }
