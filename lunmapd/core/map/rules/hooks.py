"""Rules of Luns with a hook: one node at a time may write to their storage."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.backings import PluginName, plugin_of
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import (
    CLOSED,
    GroupId,
    Lun,
    Lunmap,
    leased_groups,
    luns_of_group,
    reporting_nodes,
    takeover_group,
)
from lunmapd.core.map.rules.common import check_text


def check_hooks(lunmap: Lunmap) -> Iterator[Problem]:
    """Check that each Lun with a hook has exactly one owner, and that the Luns of an owner agree."""
    for name, lun in lunmap.luns.items():
        if lun.hook:
            place: Place = ("luns", name, "hook")
            yield from check_text(place, names.check_name, lun.hook)
            yield from _owner(lunmap, place, lun)
    yield from _unequal(lunmap)


def _owner(lunmap: Lunmap, place: Place, lun: Lun) -> Iterator[Problem]:
    if plugin_of(lun.backing).name is not PluginName.IBLOCK:
        yield Problem(place, "a hook promotes a block device: omit this field")
        return
    if not lun.maps:
        return
    group = group_with_hook(lunmap, lun)
    if group is None:
        yield Problem(
            place,
            "nothing decides which node is to promote the storage: list nodes in 'preferred' with 'others: "
            "standby', or give its one target a single floating portal group and no nodes of its own",
        )
        return
    nodes = leased_groups(lunmap)[group].nodes
    for node in reporting_nodes(lunmap, lun):
        if node not in nodes:
            yield Problem(
                place, f"node {node!r} reports the Lun, and is none of those that promote it: name 'nodes'"
            )


def group_with_hook(lunmap: Lunmap, lun: Lun) -> GroupId | None:
    """Return the group whose owner promotes the storage of a Lun, None if it is not one group."""
    group = takeover_group(lun)
    if group is not None:
        return group if lun.others in CLOSED else None
    targets = {entry.target for entry in lun.maps}
    groups = [each for each in leased_groups(lunmap) if each.target in targets]
    is_alone = len(targets) == len(groups) == 1 and not lunmap.targets[groups[0].target].nodes
    return groups[0] if is_alone else None


def _unequal(lunmap: Lunmap) -> Iterator[Problem]:
    """Report the Luns of a group whose hook differs from that of the group's first Lun that has one."""
    for group in leased_groups(lunmap) if any(lun.hook for lun in lunmap.luns.values()) else ():
        hooks = {name: hook for name in luns_of_group(lunmap, group) if (hook := lunmap.luns[name].hook)}
        for name, hook in hooks.items():
            first = next(iter(hooks))
            if hook != hooks[first]:
                yield Problem(
                    ("luns", name, "hook"),
                    f"the Lun moves together with luns[{first}]: name the same hook, {hooks[first]!r}",
                )
