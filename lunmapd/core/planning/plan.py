"""The plan: the steps from the observed objects to the desired ones, in an order that the kernel accepts.

An object that can't change in place is replaced together with everything that depends on it. A set difference
sorted by rank would try to delete a storage object that a LUN still uses. If the process is killed after any
step, the next plan converges.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import OPEN
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP, Alua


class Action(StrEnum):
    """What a step does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Step(Struct, frozen=True, omit_defaults=True):
    """One step.

    `item` is the object to create, the new form of the object to update, or the object to delete. `before` is
    the observed form, for an update only. With `drift` the step repairs an out-of-band change of LIO. `keeps`
    are the keys of the mapped LUNs whose reservation records on disk the step restores or leaves as they are.
    """

    action: Action
    item: lio_objects.Object
    reason: str
    before: lio_objects.Object | None = None
    drift: bool = False
    keeps: tuple[lio_objects.Key, ...] = ()

    def __str__(self) -> str:
        return f"{self.action} {lio_objects.show_key(lio_objects.key_of(self.item))}: {self.reason}"


Plan = tuple[Step, ...]

# Mapped LUNs are deleted first: that is quick, never waits for I/O and revokes access. Steps that may wait
# come last. A LUN 0 whose TPG is disabled is deleted after that, because LIO answers in place of a missing
# LUN 0 as long as an initiator is logged in (target_core_device.c, transport_lookup_cmd_lun).
_REMOVAL: Mapping[type, int] = {
    lio_objects.Leftover: 0, lio_objects.MappedLun: 1, lio_objects.Enabled: 2, lio_objects.Portal: 3,
    lio_objects.NodeAcl: 4, lio_objects.TpgLun: 5,
    lio_objects.Tpg: 6, lio_objects.Target: 7, lio_objects.StorageObject: 8, lio_objects.DiscoveryAuth: 9,
}  # fmt: skip
_LEFTOVERS = ("mapped_lun", "acl", "lun", "tpg", "target", "storage_object", "hba")


def plan(desired: lio_objects.DesiredObjects, observed: lio_objects.Objects) -> Plan:
    """Return the steps from `observed` to `desired`, in order; empty if nothing differs."""
    doomed = find_removals(desired, observed)
    deletes = [Step(Action.DELETE, observed[key], reason) for key, reason in doomed.items()]
    creates = [
        Step(Action.CREATE, item, doomed.get(key, "in the map"))
        for key, item in desired.items()
        if key not in observed or key in doomed
    ]
    closing = {key for key in doomed if isinstance(observed[key], lio_objects.Enabled)}
    return (
        *sorted(deletes, key=lambda step: _removal_order(step.item, closing)),
        *_updates(desired, observed, doomed),
        *sorted(creates, key=_rank),
    )


def _updates(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects, doomed: Mapping[lio_objects.Key, str]
) -> Iterator[Step]:
    for key, item in desired.items():
        before = observed.get(key)
        if before is not None and key not in doomed and before != item:
            yield Step(Action.UPDATE, item, describe_difference(before, item), before)


def find_removals(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects
) -> dict[lio_objects.Key, str]:
    """Return the keys to delete, each with the reason.

    Not desired, replaced, or dependent on such an object.
    """
    doomed = find_root_removals(desired, observed)
    return with_dependents(doomed, observed) if doomed else doomed


def find_root_removals(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects
) -> dict[lio_objects.Key, str]:
    """Return the keys to delete that do not depend on another deleted object, each with the reason."""
    doomed: dict[lio_objects.Key, str] = {}
    for key, item in observed.items():
        wanted = desired.get(key)
        if isinstance(item, lio_objects.Leftover):
            doomed[key] = f"left half-made ({item.kind})"
        elif wanted is None:
            doomed[key] = "not in the map"
        elif lio_objects.fixed_fields(item) != lio_objects.fixed_fields(wanted):
            doomed[key] = f"replaced: {describe_difference(item, wanted)}"
    return doomed


def with_dependents(
    causes: Mapping[lio_objects.Key, str], observed: lio_objects.Objects
) -> dict[lio_objects.Key, str]:
    """Add every object that depends on one of `causes`, with the reason."""
    doomed = dict(causes)
    children: dict[lio_objects.Key, list[lio_objects.Key]] = {}
    for key, item in observed.items():
        for parent in lio_objects.parents_of(item):
            children.setdefault(parent, []).append(key)
    waiting = list(doomed)
    while waiting:
        parent = waiting.pop()
        for key in children.get(parent, ()):
            if key not in doomed:
                doomed[key] = f"depends on {lio_objects.show_key(parent)}, which is deleted"
                waiting.append(key)
    return doomed


def describe_difference(before: lio_objects.Object, after: lio_objects.Object) -> str:
    """Describe which fields of two objects of one kind differ, and how; secrets are not shown."""
    changed = (
        field
        if field == "credentials"
        else f"{field} {_change(getattr(before, field), getattr(after, field))}"
        for field in after.__struct_fields__
        if getattr(before, field, None) != getattr(after, field)
    )
    return ", ".join(changed)


def _change(before: object, after: object) -> str:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return f"{_settings(before, after)} -> {_settings(after, before)}"
    return f"{before} -> {after}"


def _settings(ones: lio_objects.AttributeValues, others: lio_objects.AttributeValues) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in ones if (name, value) not in others) + "}"


def _rank(step: Step) -> int:
    return lio_objects.CREATION_RANKS[type(step.item)]


def _removal_order(item: lio_objects.Object, closing: AbstractSet[lio_objects.Key]) -> tuple[int, int]:
    if isinstance(item, lio_objects.Leftover):
        return _REMOVAL[lio_objects.Leftover], _LEFTOVERS.index(item.kind)
    if lio_objects.answering_tpg(item) in closing:
        return _REMOVAL[lio_objects.Enabled], 1
    return _REMOVAL[type(item)], 0


def disruption(step: Step) -> Disruption:
    """Return what a logged-in initiator may notice of a step, whether or not one is logged in.

    Whether an initiator still reaches its data is computed in impact.py. Sources:
    drivers/target/target_core_device.c (unit attention REPORTED LUNS DATA HAS CHANGED on map and unmap),
    target_core_alua.c (unit attention ASYMMETRIC ACCESS STATE CHANGED, and INQUIRY DATA HAS CHANGED for a LUN
    in another group), target_core_tpg.c (deleting an ACL or disabling a TPG closes its sessions). I/O that
    the kernel refuses after the step, such as writes to a LUN that becomes read-only, counts as lost on this
    path.
    """
    match step.action, step.item:
        case Action.DELETE, lio_objects.Enabled() | lio_objects.NodeAcl():
            return Disruption.SESSION_DROP
        case Action.DELETE, lio_objects.MappedLun() | lio_objects.TpgLun():
            return Disruption.PATH_LOSS
        case Action.UPDATE, lio_objects.MappedLun() | lio_objects.StorageObject() if _refuses(step):
            return Disruption.PATH_LOSS
        case (Action.CREATE, lio_objects.MappedLun()) | (Action.UPDATE, lio_objects.TpgLun()):
            return Disruption.UNIT_ATTENTION
        case Action.UPDATE, lio_objects.StorageObject() if _reported_alua(step.before) != _reported_alua(
            step.item
        ):
            return Disruption.UNIT_ATTENTION
        case _:
            return Disruption.NONE


def _reported_alua(item: lio_objects.Object | None) -> tuple[Alua | None, str, bool]:
    """Return what a storage object reports of its target port groups.

    The access type of the default group is left out: the kernel establishes no unit attention for it.
    """
    group = getattr(item, "default_group", DEFAULT_GROUP)
    return getattr(item, "alua", None), group.state, group.preferred


def shrinks(step: Step) -> bool:
    """Return whether the step makes a storage object smaller: data behind its new end are out of reach."""
    return isinstance(step.before, lio_objects.StorageObject) and step.before.size > getattr(
        step.item, "size", 0
    )


def _refuses(step: Step) -> bool:
    """Return whether the kernel refuses I/O after the update that it accepted before."""
    if isinstance(step.item, lio_objects.MappedLun):
        return step.item.write_protect
    return shrinks(step) or (_takes_io(step.before) and not _takes_io(step.item))


def _takes_io(item: lio_objects.Object | None) -> bool:
    alua = getattr(item, "alua", None)
    return alua is None or alua.leased or alua.state in OPEN


def objects_after(
    objects: lio_objects.Objects, steps: Iterable[Step]
) -> dict[lio_objects.Key, lio_objects.Object]:
    """Return the objects after the steps, if the kernel executes all of them."""
    result = dict(objects)
    for step in steps:
        if step.action is Action.DELETE:
            del result[lio_objects.key_of(step.item)]
        else:
            result[lio_objects.key_of(step.item)] = step.item
    return result
