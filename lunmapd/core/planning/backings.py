"""Storage objects that have opened something else than their path leads to now.

- The opened device is gone for good (Opened.GONE): the initiators get errors alone, so the storage object is
  made anew like any other that is replaced, however many there are.
- The path leads to other data (Opened.OTHER): the data of the initiators are in what was opened, so nothing
  is replaced unless an override allows it.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.opening import Opened
from lunmapd.core.planning.other_data import Reuse
from lunmapd.core.planning.plan import Action, Plan, Step, describe_difference
from lunmapd.core.planning.withhold import Permitted, withhold_steps


def withhold_other_data(steps: Plan, observed: Observed, reuse: Reuse) -> Permitted:
    """Withhold the replacement of storage objects whose path leads to other data.

    `reuse` names the Luns for which an override of the class other-data allows it. A storage object that is
    only removed, or that gets another path by the map, is none of them. A mapped LUN that stays with it and
    should be read-only becomes so.
    """
    failures = {
        lio_objects.key_of(step.item): _failure(step.item, observed.backings)
        for step in steps
        if opens_other_data(step, observed.objects)
        and isinstance(step.item, lio_objects.StorageObject)
        and not reuse.allows(step.item.name)
    }
    permitted = withhold_steps(
        steps,
        {
            (action, key): failure
            for key, failure in failures.items()
            for action in (Action.DELETE, Action.CREATE)
        },
    )
    return replace(permitted, steps=(*permitted.steps, *_protect_kept(steps, permitted.steps)))


def _protect_kept(steps: Plan, permitted: Plan) -> Iterator[Step]:
    """Yield the updates to read-only of mapped LUNs whose replacement by a read-only one is withheld."""
    if len(permitted) == len(steps):
        return
    executed = {lio_objects.key_of(step.item) for step in permitted if step.action is Action.DELETE}
    mapped = [(step.action, step.item) for step in steps if isinstance(step.item, lio_objects.MappedLun)]
    read_only = {
        lio_objects.mapping_of(item)
        for action, item in mapped
        if action is Action.CREATE and item.write_protect
    }
    for action, item in mapped:
        kept = action is Action.DELETE and lio_objects.key_of(item) not in executed
        if kept and not item.write_protect and lio_objects.mapping_of(item) in read_only:
            protected = replace(item, write_protect=True)
            yield Step(Action.UPDATE, protected, describe_difference(item, protected), item)


def opens_other_data(step: Step, observed: lio_objects.Objects) -> bool:
    """Return whether a step creates a storage object anew whose path leads to other data than it did."""
    item, before = step.item, observed.get(lio_objects.key_of(step.item))
    return (
        step.action is Action.CREATE
        and isinstance(item, lio_objects.StorageObject)
        and isinstance(before, lio_objects.StorageObject)
        and before.opened is Opened.OTHER
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
        if isinstance(item, lio_objects.StorageObject) and item.opened is Opened.GONE
    }
    if not luns:
        return frozenset()
    return {
        key for key, item in observed.items() if key in desired and lio_objects.lun_served_by(item) in luns
    }
