"""Filling in the serials, port ids and passwords that a map file omits."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count

from msgspec import structs

from lunmapd.core.base.lunmap import FloatingGroup, Lun, Lunmap, PortalGroup, Target
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
    kept = keep_identities(after, before)
    luns = {name: lun if lun.serial else _with_serial(lun, new_serial()) for name, lun in kept.luns.items()}
    targets = with_free_port_ids(kept.targets, used, before.targets)
    return structs.replace(kept, luns=luns, targets=targets)


def keep_identities(after: Lunmap, before: Lunmap) -> Lunmap:
    """Return `after` with the serials, port ids and passwords of `before` where it omits them."""
    luns = {
        name: lun if lun.serial or name not in before.luns else _with_serial(lun, before.luns[name].serial)
        for name, lun in after.luns.items()
    }
    kept = structs.replace(after, luns=luns, targets=_with_kept_ids(after, before))
    return with_passwords(kept, before)


def _with_serial(lun: Lun, serial: str) -> Lun:
    return structs.replace(lun, serial=serial)


def needs_port_ids(after: Lunmap, before: Lunmap) -> bool:
    """Return whether `fill_in` has to choose a port id."""
    kept = _with_kept_ids(after, before)
    return any(not group.port_id for target in kept.values() for group in _groups(target))


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
        group.port_id for each in (targets, before) for target in each.values() for group in _groups(target)
    }
    free = unused_numbers(count(1), used, taken)
    return {
        iqn: structs.replace(
            target,
            nodes={
                name: group if group.port_id else structs.replace(group, port_id=next(free))
                for name, group in target.nodes.items()
            },
            floating={
                name: group if group.port_id else structs.replace(group, port_id=next(free))
                for name, group in target.floating.items()
            },
        )
        for iqn, target in targets.items()
    }


def _kept(target: Target, before: Target | None) -> Target:
    old = before if before is not None else target
    nodes = {
        name: structs.replace(group, port_id=group.port_id or old.nodes.get(name, group).port_id)
        for name, group in target.nodes.items()
    }
    floating = {
        name: structs.replace(group, port_id=group.port_id or old.floating.get(name, group).port_id)
        for name, group in target.floating.items()
    }
    return structs.replace(target, nodes=nodes, floating=floating)


def _groups(target: Target) -> Iterator[PortalGroup | FloatingGroup]:
    yield from target.nodes.values()
    yield from target.floating.values()
