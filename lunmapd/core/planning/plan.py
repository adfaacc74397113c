"""The plan: which steps turn the observed objects into the desired ones, in an order that the kernel accepts.

An object that can't change in place is replaced, and takes with it all that depends on it; a set difference in
rank order would try to remove a storage object from under its LUN. Killed after any step, the next plan converges.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from enum import IntEnum, StrEnum

from msgspec import Struct

from lunmapd.core.base.lunmap import CLOSED
from lunmapd.core.node import lio_objects


class Action(StrEnum):
    """What a step does to its object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class Disruption(IntEnum):
    """What initiators may notice of a step, at worst."""

    NONE = 0
    UNIT_ATTENTION = 1
    PATH_LOSS = 2
    SESSION_DROP = 3
    DATA_UNREACHABLE = 4

    @property
    def word(self) -> str:
        """The class as programs read it, such as `path-loss`."""
        return self.name.lower().replace("_", "-")


class Step(Struct, frozen=True, omit_defaults=True):
    """One step. `item` is the object to make, its new form, or the one to remove; `before` only for an update.

    `drift` tells that it puts right what somebody changed by hand.
    """

    action: Action
    item: lio_objects.Object
    reason: str
    before: lio_objects.Object | None = None
    drift: bool = False

    def __str__(self) -> str:
        return f"{self.action} {lio_objects.show_key(lio_objects.key_of(self.item))}: {self.reason}"


Plan = tuple[Step, ...]

# Unmapping goes first: it is quick, never waits for I/O and revokes access. What may wait goes last. Only a LUN 0 whose TPG closes
# goes after that, for LIO answers in its place as long as somebody is logged in (target_core_device.c, transport_lookup_cmd_lun).
_REMOVAL: Mapping[type, int] = {
    lio_objects.Leftover: 0, lio_objects.MappedLun: 1, lio_objects.Enabled: 2, lio_objects.Portal: 3, lio_objects.NodeAcl: 4, lio_objects.TpgLun: 5,
    lio_objects.Tpg: 6, lio_objects.Target: 7, lio_objects.StorageObject: 8, lio_objects.DiscoveryAuth: 9,
}  # fmt: skip
_LEFTOVERS = ("mapped_lun", "acl", "lun", "tpg", "target", "storage_object", "hba")


def plan(desired: lio_objects.Objects, observed: lio_objects.Objects) -> Plan:
    """Return the steps from `observed` to `desired`, in order; empty when nothing is left to do."""
    doomed = find_removals(desired, observed)
    deletes = [Step(Action.DELETE, observed[name], reason) for name, reason in doomed.items()]
    creates = [
        Step(Action.CREATE, item, doomed.get(name, "in the map"))
        for name, item in desired.items()
        if name not in observed or name in doomed
    ]
    closing = {name for name in doomed if isinstance(observed[name], lio_objects.Enabled)}
    return (
        *sorted(deletes, key=lambda step: _removal_order(step.item, closing)),
        *_updates(desired, observed, doomed),
        *sorted(creates, key=_rank),
    )


def _updates(
    desired: lio_objects.Objects, observed: lio_objects.Objects, doomed: Mapping[lio_objects.Key, str]
) -> Iterator[Step]:
    for name, item in desired.items():
        before = observed.get(name)
        if before is not None and name not in doomed and before != item:
            yield Step(Action.UPDATE, item, describe_difference(before, item), before)


def find_removals(desired: lio_objects.Objects, observed: lio_objects.Objects) -> dict[lio_objects.Key, str]:
    """Find what must go and why: not desired, replaced, or standing on something that goes."""
    doomed = find_root_removals(desired, observed)
    return with_dependents(doomed, observed) if doomed else doomed


def find_root_removals(
    desired: lio_objects.Objects, observed: lio_objects.Objects
) -> dict[lio_objects.Key, str]:
    """Find what must go for its own sake, and why."""
    doomed: dict[lio_objects.Key, str] = {}
    for name, item in observed.items():
        wanted = desired.get(name)
        if isinstance(item, lio_objects.Leftover):
            doomed[name] = f"left half-made ({item.kind})"
        elif wanted is None:
            doomed[name] = "not in the map"
        elif lio_objects.fixed_fields(item) != lio_objects.fixed_fields(wanted):
            doomed[name] = f"replaced: {describe_difference(item, wanted)}"
    return doomed


def with_dependents(
    causes: Mapping[lio_objects.Key, str], observed: lio_objects.Objects
) -> dict[lio_objects.Key, str]:
    """Add all that stands on what goes, with the reason."""
    doomed = dict(causes)
    children: dict[lio_objects.Key, list[lio_objects.Key]] = {}
    for name, item in observed.items():
        for parent in lio_objects.parents_of(item):
            children.setdefault(parent, []).append(name)
    waiting = list(doomed)
    while waiting:
        parent = waiting.pop()
        for name in children.get(parent, ()):
            if name not in doomed:
                doomed[name] = f"stands on {lio_objects.show_key(parent)}, which goes"
                waiting.append(name)
    return doomed


def describe_difference(before: lio_objects.Object, after: lio_objects.Object) -> str:
    """Tell which fields of two objects of a kind differ, and how; no secret."""
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
    """Return what an initiator that is logged in may notice, whether or not one is; core/planning/impact.py tells whether its data stay in reach.

    Sources: drivers/target/target_core_device.c (unit attention REPORTED LUNS DATA HAS CHANGED on map and unmap),
    target_core_alua.c (unit attention ASYMMETRIC ACCESS STATE CHANGED, and INQUIRY DATA HAS CHANGED for a LUN in another group),
    target_core_tpg.c (removing an ACL or disabling a TPG closes its sessions). What is refused from then on, as writes to a LUN
    that becomes read-only are, is lost on this path.
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
        case Action.UPDATE, lio_objects.StorageObject() if (
            getattr(step.before, "alua", None) != step.item.alua
        ):
            return Disruption.UNIT_ATTENTION
        case _:
            return Disruption.NONE


def shrinks(step: Step) -> bool:
    """Tell whether a storage object gets smaller: what lies beyond its new end is out of reach."""
    return isinstance(step.before, lio_objects.StorageObject) and step.before.size > getattr(
        step.item, "size", 0
    )


def _refuses(step: Step) -> bool:
    """Tell whether the kernel refuses I/O after an update that it took before."""
    if isinstance(step.item, lio_objects.MappedLun):
        return step.item.write_protect
    return shrinks(step) or (_takes_io(step.before) and not _takes_io(step.item))


def _takes_io(item: lio_objects.Object | None) -> bool:
    alua = getattr(item, "alua", None)
    return alua is None or alua.state not in CLOSED


def objects_after(
    objects: lio_objects.Objects, steps: Iterable[Step]
) -> dict[lio_objects.Key, lio_objects.Object]:
    """Return the objects after the steps, if the kernel does as told."""
    result = dict(objects)
    for step in steps:
        if step.action is Action.DELETE:
            del result[lio_objects.key_of(step.item)]
        else:
            result[lio_objects.key_of(step.item)] = step.item
    return result
