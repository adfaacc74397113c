"""Rules of Luns with a hook: one node at a time may write to their storage."""

from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.backings import PluginName, plugin_of
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import CLOSED, GroupId, Lun, Lunmap, reporting_nodes
from lunmapd.core.map.rules.common import check_text
from lunmapd.core.placement.leased_groups import groups_of, listed_nodes, takeover_group, takeover_nodes


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
    nodes = listed_nodes(group, lunmap.targets.get(group.target))
    for node in reporting_nodes(lunmap, lun):
        if node not in nodes:
            yield Problem(
                place, f"node {node!r} reports the Lun, and is none of those that promote it: name 'nodes'"
            )


def group_with_hook(lunmap: Lunmap, lun: Lun) -> GroupId | None:
    """Return the group whose owner promotes the storage of a Lun, None if it is not one group."""
    if takeover_group(lun) is not None and lun.others not in CLOSED:
        return None
    targets, groups = {entry.target for entry in lun.maps}, groups_of(lunmap, lun)
    if len(targets) != 1 or len(groups) != 1:
        return None
    (group,) = groups
    is_alone = bool(takeover_nodes(group)) or not lunmap.targets[group.target].nodes
    return group if is_alone else None


def _unequal(lunmap: Lunmap) -> Iterator[Problem]:
    """Report the Luns of a group whose hook differs from that of the group's first Lun that has one."""
    first: dict[GroupId, str] = {}
    for name, lun in lunmap.luns.items():
        group = group_with_hook(lunmap, lun) if lun.hook else None
        if group is None:
            continue
        other = first.setdefault(group, name)
        hook = lunmap.luns[other].hook
        if lun.hook != hook:
            yield Problem(
                ("luns", name, "hook"),
                f"the Lun moves together with luns[{other}]: name the same hook, {hook!r}",
            )
