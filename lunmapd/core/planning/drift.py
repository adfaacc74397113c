"""Drift: out-of-band changes of LIO, which are repaired, or left and reported.

docs/adr/0016-drift.md defines what counts as drift, and which drift is always repaired.
"""

from collections.abc import Set as AbstractSet
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.closed_access import close_access, with_attributes
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import ADMITTING_ATTRIBUTES
from lunmapd.core.node.opening import Opened
from lunmapd.core.node.overlay import Overlay
from lunmapd.core.planning.plan import (
    Action,
    Plan,
    Step,
    describe_difference,
    find_root_removals,
    with_dependents,
)
from lunmapd.core.planning.withhold import Permitted, withhold_steps

CLASSES = (
    "storage_object", "target", "tpg", "lun", "acl", "mapped_lun", "portal", "enabled", "discovery_auth",
)  # fmt: skip
"""The first words of the keys of objects that can drift."""


class DriftBaseline(Struct, frozen=True):
    """The desired objects of the last pass.

    `open` are the keys, of desired objects or not, that were not observed as desired.
    """

    desired: lio_objects.DesiredObjects
    open: AbstractSet[lio_objects.Key] = frozenset()

    def has_drifted(
        self,
        key: lio_objects.Key,
        desired: lio_objects.Object | None,
        observed: lio_objects.Object | None,
    ) -> bool:
        """Return whether an object observed as desired, and desired as before, is now observed otherwise."""
        if desired == observed or key in self.open or self.desired.get(key) != desired:
            return False
        # Not LIO was changed, but the device or file behind it.
        if getattr(observed, "opened", Opened.CURRENT) is not Opened.CURRENT:
            return False
        # A crash may have left half an object. An object with our mark that is not in the map was ours: no
        # other tool sets the mark.
        return desired is not None or not isinstance(
            observed, lio_objects.Leftover | lio_objects.Target | lio_objects.Tpg
        )


def find_drift(
    steps: Plan,
    desired: lio_objects.DesiredObjects,
    observed: lio_objects.Objects,
    baseline: DriftBaseline | None,
) -> AbstractSet[lio_objects.Key]:
    """Return the keys that have drifted, without those that another change deletes or replaces."""
    if baseline is None:
        return frozenset()
    keys = {lio_objects.key_of(step.item) for step in steps}
    drifted = {key for key in keys if baseline.has_drifted(key, desired.get(key), observed.get(key))}
    return _staying(drifted, desired, observed) if drifted else drifted


def _staying(
    keys: AbstractSet[lio_objects.Key], desired: lio_objects.DesiredObjects, observed: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Return the keys without those that are deleted or replaced because of an object not among them."""
    others = {key: reason for key, reason in find_root_removals(desired, observed).items() if key not in keys}
    return keys - with_dependents(others, observed).keys()


def withhold_drift(
    steps: Plan,
    desired: lio_objects.DesiredObjects,
    observed: lio_objects.Objects,
    baseline: DriftBaseline | None,
    reported: AbstractSet[str] = frozenset(),
) -> Permitted:
    """Mark the steps that repair drift, and withhold those of the classes whose drift is only `reported`."""
    drifted = find_drift(steps, desired, observed, baseline)
    if not drifted:
        return Permitted(steps)
    left = _staying({key for key in drifted if key[0] in reported}, desired, observed)
    kept: list[Step] = []
    withheld, partly = dict[tuple[Action, lio_objects.Key], Failure](), dict[lio_objects.Key, Failure]()
    for step in steps:
        key = lio_objects.key_of(step.item)
        marked = replace(step, drift=True) if key in drifted else step
        kept.append(marked)
        if key in left:
            failure = Failure(Reason.DRIFTED, _message(desired.get(key), observed.get(key)))
            closing = _closing_step(marked)
            if closing is None:
                withheld[step.action, key] = failure
            else:
                kept[-1] = closing
                partly |= {} if closing.item == step.item else {key: failure}
    permitted = withhold_steps(tuple(kept), withheld)
    return Permitted(permitted.steps, {**permitted.held, **partly})


def _message(desired: lio_objects.Object | None, observed: lio_objects.Object | None) -> str:
    if observed is None:
        change = "removed"
    elif desired is None:
        change = "added"
    else:
        change = f"changed ({describe_difference(desired, observed)})"
    return f"{change} outside lunmapd; left so (drift: report)"


def _closing_step(step: Step) -> Step | None:
    """Return the part of a withheld step that is executed in any case, None if there is none.

    It closes opened access.
    """
    if step.action is Action.CREATE and isinstance(step.item, lio_objects.DiscoveryAuth):
        return step
    if isinstance(step.before, lio_objects.NodeAcl) and step.before.overrides_authentication:
        return replace(step, item=replace(step.before, overrides_authentication=False))
    if not isinstance(step.before, lio_objects.Tpg) or not isinstance(step.item, lio_objects.Tpg):
        return None
    closed = _closed(step.before, dict(step.item.attributes))
    return (
        None
        if closed == step.before
        else replace(step, item=closed, reason=describe_difference(step.before, closed))
    )


def closing_steps(steps: Plan, observed: lio_objects.Objects) -> Plan:
    """Return updates that close the observed access that no map gives.

    With them the authentication of a TPG is put back, if a step of the plan repairs its drift.
    """
    asks = {lio_objects.key_of(step.item): _authentication(step.item) for step in steps if step.drift}
    found: list[Step] = []
    for key, item in lio_objects.complete_objects(observed).items():
        closed = close_access(item)
        if isinstance(closed, lio_objects.Tpg):
            closed = with_attributes(closed, asks.get(key, {}))
        if closed != item:
            found.append(Step(Action.UPDATE, closed, describe_difference(item, closed), item, drift=True))
    return tuple(found)


def _authentication(item: lio_objects.Object) -> dict[str, str]:
    return {name: value for name, value in getattr(item, "attributes", ()) if name == "authentication"}


def _closed(tpg: lio_objects.Tpg, wanted: dict[str, str]) -> lio_objects.Tpg:
    return with_attributes(
        tpg, {name: value for name, value in wanted.items() if name in ADMITTING_ATTRIBUTES}
    )


def update_baseline(
    before: DriftBaseline | None,
    desired: lio_objects.DesiredObjects,
    observed: lio_objects.Objects,
    left: Plan,
) -> DriftBaseline:
    """Return the baseline after a pass whose last observation `left` these steps.

    Earlier drift stays drift.
    """
    differ = {lio_objects.key_of(step.item) for step in left}
    differ = {key for key in differ if desired.get(key) != observed.get(key)}
    # Objects that were observed as desired are in memory once.
    wanted = Overlay(cast("lio_objects.DesiredObjects", observed))
    for key in differ | {key for key, item in observed.items() if isinstance(item, lio_objects.Leftover)}:
        wanted.pop(key, None)
    wanted.update({key: desired[key] for key in differ if key in desired})
    drifted = {
        key
        for key in differ
        if before is not None and before.has_drifted(key, desired.get(key), observed.get(key))
    }
    return DriftBaseline(wanted, frozenset(differ - drifted))
