"""Other data under the same LUN address: which mapped LUNs may be created now. Pure.

A mapped LUN at an address with a former occupant of another serial (former.py) is held, with every value of
the setting `allow`, unless an override of the class other-data names the Lun. Even then the address
stays empty for a while between the two Luns, so that hosts see it empty. In any case, no pass deletes and
creates an address with two serials: the next pass observes again who is logged in.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.history.changes import Allowance
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.disruption_limit import is_current
from lunmapd.core.planning.former import Former, FormerLuns, address_of, others_at, serial_of
from lunmapd.core.planning.plan import Action, Plan, Step
from lunmapd.core.planning.withhold import Permitted, withhold_steps

EMPTY_SECONDS = 30.0
"""How long an address stays empty before another Lun is created there. multipathd checks a path at least
every 20 s (max_polling_interval is 4 x polling_interval, 5 s by default): it marks the path as failed, and
with `recheck_wwid yes` reads the WWID before it uses the path again."""

_MAX_NAMED = 3


class Reuse(Struct, frozen=True):
    """The Luns that may be created at addresses of others: `luns`, or all of them."""

    luns: AbstractSet[str] = frozenset()
    all: bool = False

    def allows(self, lun: str) -> bool:
        """Return whether the Lun may be created at an address of another one."""
        return self.all or lun in self.luns


def allowed_reuse(allowance: Allowance | None, node: str, now: str) -> Reuse:
    """Return what a current override of the class other-data allows on the node.

    `now` is RFC 3339 in UTC, to the second.
    """
    if allowance is None or allowance.disruption != Disruption.OTHER_DATA.word:
        return Reuse()
    if not is_current(allowance, node, now):
        return Reuse()
    return Reuse(frozenset(allowance.luns), all=not allowance.luns)


class AddressRules(Struct, frozen=True):
    """What decides about creations at LUN addresses.

    `former` are the former occupants. `emptied` maps an address to the seconds for which it was observed
    empty. `can_record`: the node can record that it creates another Lun at an address; without that it
    creates none.
    """

    former: FormerLuns = {}
    reuse: Reuse = Reuse()
    emptied: Mapping[LunAddress, float] = {}
    can_record: bool = True

    def others(self, step: Step, desired: lio_objects.Objects) -> tuple[Former, ...]:
        """Return the former occupants with another serial, of the address where a step creates a Lun."""
        item = step.item
        if step.action is not Action.CREATE or not isinstance(item, lio_objects.MappedLun) or not self.former:
            return ()
        return others_at(self.former, address_of(item), serial_of(item, desired) or "")


def hold_other_data(steps: Plan, desired: lio_objects.Objects, rules: AddressRules) -> Permitted:
    """Withhold the creations at addresses of other Luns that are not allowed."""
    withheld: dict[tuple[Action, lio_objects.Key], Failure] = {}
    for step in steps:
        others, item = rules.others(step, desired), step.item
        if others and isinstance(item, lio_objects.MappedLun):
            if not rules.reuse.allows(item.storage_object):
                withheld[step.action, lio_objects.key_of(item)] = _held(item, others)
            elif not rules.can_record:
                withheld[step.action, lio_objects.key_of(item)] = _unrecorded(item)
    return withhold_steps(steps, withheld)


def _held(item: lio_objects.MappedLun, others: tuple[Former, ...]) -> Failure:
    luns = first_of([f"{each.name!r} (serial {each.serial})" for each in others], _MAX_NAMED)
    return Failure(
        Reason.HELD,
        f"{Disruption.OTHER_DATA.word} for {item.initiator}: number {item.lun} of {item.iqn} led to {luns} "
        f"until revision {others[-1].revision}, and the host may still write there; held until the host logs "
        f"out of the target, the map gives {item.storage_object!r} another number, or "
        f"'lunmapctl override {Disruption.OTHER_DATA.word} --lun {item.storage_object}' allows it",
    )


def _unrecorded(item: lio_objects.MappedLun) -> Failure:
    return Failure(
        Reason.HELD,
        f"{Disruption.OTHER_DATA.word} for {item.initiator}: held although an override allows it, because "
        "the node can't record it; see the condition AddressesKept",
    )


class Emptying(Struct, frozen=True):
    """The steps without the creations whose address must be empty first.

    `waiting` maps the key of each such creation to its failure, `seconds` to the time that is left at least.
    """

    steps: Plan
    waiting: Mapping[lio_objects.Key, Failure] = {}
    seconds: Mapping[lio_objects.Key, float] = {}


def leave_empty(
    steps: Plan, desired: lio_objects.Objects, observed: lio_objects.Objects, rules: AddressRules
) -> Emptying:
    """Take out the creations that must wait until their address was empty for long enough."""
    deleted = _deleted_serials(steps, observed)
    seconds = {
        lio_objects.key_of(step.item): left
        for step in steps
        if isinstance(step.item, lio_objects.MappedLun)
        and step.action is Action.CREATE
        and (left := _seconds_left(step, step.item, desired, deleted, rules)) is not None
    }
    if not seconds:
        return Emptying(steps)
    kept = tuple(
        step
        for step in steps
        if step.action is not Action.CREATE or lio_objects.key_of(step.item) not in seconds
    )
    return Emptying(kept, {key: _empty(left) for key, left in seconds.items()}, seconds)


def _deleted_serials(steps: Iterable[Step], observed: lio_objects.Objects) -> Mapping[LunAddress, str | None]:
    return {
        address_of(step.item): serial_of(step.item, observed)
        for step in steps
        if step.action is Action.DELETE and isinstance(step.item, lio_objects.MappedLun)
    }


def _seconds_left(
    step: Step,
    item: lio_objects.MappedLun,
    desired: lio_objects.Objects,
    deleted: Mapping[LunAddress, str | None],
    rules: AddressRules,
) -> float | None:
    """Return how long a creation must wait at least, 0 for the next pass; None if it need not wait."""
    address = address_of(item)
    if rules.others(step, desired):
        empty = 0.0 if address in deleted else rules.emptied.get(address, 0.0)
        return EMPTY_SECONDS - empty if empty < EMPTY_SECONDS else None
    if address in deleted and deleted[address] != serial_of(item, desired):
        return 0.0
    return None


def _empty(seconds: float) -> Failure:
    return Failure(
        Reason.LEFT_EMPTY,
        "another Lun had this number: it stays empty "
        + (f"for {EMPTY_SECONDS:g} s, so that hosts see it empty" if seconds else "until the next pass"),
    )


def replaces_other_data(
    steps: Plan, desired: lio_objects.Objects, observed: lio_objects.Objects, rules: AddressRules
) -> bool:
    """Return whether any step creates a Lun at an address of another one."""
    if any(rules.others(step, desired) for step in steps):
        return True
    return bool(leave_empty(steps, desired, observed, rules).waiting)
