"""Filling in the serials, port ids and passwords that a map file omits."""

from collections.abc import Callable, Mapping
from itertools import count

from msgspec import structs

from lunmapd.core.base.lunmap import Lunmap, Target
from lunmapd.core.map.credentials import with_passwords
from lunmapd.core.map.used_numbers import UNUSED, UsedNumbers, unused_numbers

NO_TARGETS: Mapping[str, Target] = {}


def fill_in(
    after: Lunmap, before: Lunmap, new_serial: Callable[[], str], used: UsedNumbers = UNUSED
) -> Lunmap:
    """Return `after` with every serial, port id and password; missing ones are taken from `before`.

    `new_serial` returns a new serial, such as a random UUID in hex. A new port id is the lowest that neither
    map has and that is not in `used`. A password that neither map has stays empty, and the rules refuse it.
    """
    luns = dict(after.luns)
    for name, lun in after.luns.items():
        if not lun.serial:
            old = before.luns.get(name)
            luns[name] = structs.replace(lun, serial=old.serial if old else new_serial())
    targets = with_free_port_ids(_with_kept_ids(after, before), used, before.targets)
    return with_passwords(structs.replace(after, luns=luns, targets=targets), before)


def needs_port_ids(after: Lunmap, before: Lunmap) -> bool:
    """Return whether `fill_in` has to choose a port id."""
    kept = _with_kept_ids(after, before)
    return any(not group.port_id for target in kept.values() for group in target.nodes.values())


def _with_kept_ids(after: Lunmap, before: Lunmap) -> dict[str, Target]:
    return {iqn: _kept(target, before.targets.get(iqn)) for iqn, target in after.targets.items()}


def with_free_port_ids(
    targets: Mapping[str, Target], used: UsedNumbers = UNUSED, before: Mapping[str, Target] = NO_TARGETS
) -> dict[str, Target]:
    """Return the targets with the lowest ids that were never used in place of 0.

    Ids of `before` and those in `used` count as used. If all ids up to names.MAX_TAG are, the ids exceed it,
    and the rules refuse them.
    """
    taken = {
        group.port_id
        for each in (targets, before)
        for target in each.values()
        for group in target.nodes.values()
    }
    free = unused_numbers(count(1), used, taken)
    return {
        iqn: structs.replace(
            target,
            nodes={
                name: group if group.port_id else structs.replace(group, port_id=next(free))
                for name, group in target.nodes.items()
            },
        )
        for iqn, target in targets.items()
    }


def _kept(target: Target, before: Target | None) -> Target:
    old_groups = before.nodes if before is not None else {}
    nodes = {
        name: structs.replace(group, port_id=group.port_id or old_groups.get(name, group).port_id)
        for name, group in target.nodes.items()
    }
    return structs.replace(target, nodes=nodes)
