"""What somebody has changed in LIO by hand: told apart from changes of the map, put right, or left as it is and reported.

docs/adr/0016-drift.md tells what counts as such, and what is never left.
"""

from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.project import TPG_ATTRIBUTES
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
"""The first words of the keys of what may drift."""

_ADMITTING = frozenset(name for name, _ in TPG_ATTRIBUTES) - {"tpg_enabled_sendtargets"}
"""The attributes of a TPG that decide who gets in, and whether he may write."""


class DriftBaseline(Struct, frozen=True):
    """What was wanted at the last look, and the keys, wanted or not, that were not seen so then: they are still `open`."""

    wanted: lio_objects.Objects
    open: AbstractSet[lio_objects.Key] = frozenset()

    def has_drifted(
        self, name: lio_objects.Key, wanted: lio_objects.Object | None, seen: lio_objects.Object | None
    ) -> bool:
        """Tell whether what is wanted as it was, if at all, and was seen so, is seen otherwise now."""
        if wanted == seen or name in self.open or self.wanted.get(name) != wanted:
            return False
        # Half an object may be what a crash left. What has our mark and is not in the map was ours once, since no tool sets it.
        return wanted is not None or not isinstance(
            seen, lio_objects.Leftover | lio_objects.Target | lio_objects.Tpg
        )


def find_drift(
    steps: Plan, desired: lio_objects.Objects, observed: lio_objects.Objects, known: DriftBaseline | None
) -> AbstractSet[lio_objects.Key]:
    """Return what has drifted, but for what goes or is made anew for another reason anyway."""
    if known is None:
        return frozenset()
    names = {lio_objects.key_of(step.item) for step in steps}
    found = {name for name in names if known.has_drifted(name, desired.get(name), observed.get(name))}
    if not found:
        return found
    return _staying(found, desired, observed)


def _staying(
    names: AbstractSet[lio_objects.Key], desired: lio_objects.Objects, observed: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Leave out what goes, or is made anew, with something else that is not among them."""
    others = {name: why for name, why in find_root_removals(desired, observed).items() if name not in names}
    return names - with_dependents(others, observed).keys()


def withhold_drift(
    steps: Plan,
    desired: lio_objects.Objects,
    observed: lio_objects.Objects,
    known: DriftBaseline | None,
    reported: AbstractSet[str] = frozenset(),
) -> Permitted:
    """Mark the steps that put right what has drifted, and leave out those for the classes that are only `reported`."""
    found = find_drift(steps, desired, observed, known)
    if not found:
        return Permitted(steps)
    left = _staying({name for name in found if name[0] in reported}, desired, observed)
    kept: list[Step] = []
    refused, rest = dict[tuple[Action, lio_objects.Key], Failure](), dict[lio_objects.Key, Failure]()
    for step in steps:
        name = lio_objects.key_of(step.item)
        marked = replace(step, drift=True) if name in found else step
        kept.append(marked)
        if name in left:
            failure = Failure(Reason.DRIFTED, _sentence(desired.get(name), observed.get(name)))
            closing = _closing(marked)
            if closing is None:
                refused[step.action, name] = failure
            else:
                kept[-1] = closing
                rest |= {} if closing.item == step.item else {name: failure}
    permitted = withhold_steps(tuple(kept), refused)
    return Permitted(permitted.steps, {**permitted.held, **rest})


def _sentence(wanted: lio_objects.Object | None, seen: lio_objects.Object | None) -> str:
    if seen is None:
        what = "removed it"
    elif wanted is None:
        what = "added it"
    else:
        what = f"changed it ({describe_difference(wanted, seen)})"
    return f"somebody {what}: it stays so, since the setting 'drift' says report"


def _closing(step: Step) -> Step | None:
    """Return what of the step must be done though it is only reported: what hands opened for everybody is closed."""
    if step.action is Action.CREATE and isinstance(step.item, lio_objects.DiscoveryAuth):
        return step
    if not isinstance(step.before, lio_objects.Tpg) or not isinstance(step.item, lio_objects.Tpg):
        return None
    closed = _closed(step.before, dict(step.item.attributes))
    return (
        None
        if closed == step.before
        else replace(step, item=closed, reason=describe_difference(step.before, closed))
    )


def _closed(tpg: lio_objects.Tpg, wanted: dict[str, str]) -> lio_objects.Tpg:
    attributes = (
        (name, wanted.get(name, value) if name in _ADMITTING else value) for name, value in tpg.attributes
    )
    return replace(tpg, attributes=tuple(attributes))


def update_baseline(
    before: DriftBaseline | None, desired: lio_objects.Objects, observed: lio_objects.Objects, left: Plan
) -> DriftBaseline:
    """Return what is known after a look that `left` these steps; what had drifted before is no less known for it."""
    differ = {lio_objects.key_of(step.item) for step in left}
    differ = {name for name in differ if desired.get(name) != observed.get(name)}
    # What is seen as it is wanted is in memory once.
    wanted = {name: item for name, item in observed.items() if name not in differ}
    wanted |= {name: desired[name] for name in differ if name in desired}
    drifted = {
        name
        for name in differ
        if before is not None and before.has_drifted(name, desired.get(name), observed.get(name))
    }
    return DriftBaseline(wanted, frozenset(differ - drifted))
