"""Filling in the serials, port ids and passwords that a map file omits."""

from collections.abc import Callable, Mapping
from itertools import count, filterfalse

from msgspec import structs

from lunmapd.core.base.lunmap import Lunmap, Target
from lunmapd.core.map.credentials import with_passwords


def fill_in(after: Lunmap, before: Lunmap, new_serial: Callable[[], str]) -> Lunmap:
    """Return `after` with every serial, port id and password; missing ones are taken from `before`.

    `new_serial` returns a new serial, such as a random UUID in hex. A new port id is the lowest free one. A
    password that neither map has stays empty, and the rules refuse it.
    """
    luns = dict(after.luns)
    for name, lun in after.luns.items():
        if not lun.serial:
            old = before.luns.get(name)
            luns[name] = structs.replace(lun, serial=old.serial if old else new_serial())
    filled = structs.replace(after, luns=luns, targets=_with_port_ids(after, before))
    return with_passwords(filled, before)


def _with_port_ids(after: Lunmap, before: Lunmap) -> dict[str, Target]:
    return with_free_port_ids(
        {iqn: _kept(target, before.targets.get(iqn)) for iqn, target in after.targets.items()}
    )


def with_free_port_ids(targets: Mapping[str, Target]) -> dict[str, Target]:
    """Return the targets with the lowest free port ids in place of 0.

    If all ids up to names.MAX_TAG are used, the ids exceed it, and the rules refuse them.
    """
    taken = {group.port_id for target in targets.values() for group in target.nodes.values()}
    free = filterfalse(taken.__contains__, count(1))
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
