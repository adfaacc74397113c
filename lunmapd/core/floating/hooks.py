"""Which hooks the groups of a map have, and for which devices."""

from collections.abc import Mapping

from lunmapd.core.base.lunmap import GroupId, Lunmap
from lunmapd.core.floating.promotion import HookCall
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.placement.leased_groups import groups_of


def hook_calls(lunmap: Lunmap, node: str) -> Mapping[GroupId, HookCall]:
    """Return the hook of each group that has one, as the node calls it. The Luns of a group agree (rules)."""
    found: dict[GroupId, dict[str, str]] = {}
    hooks: dict[GroupId, str] = {}
    for name, lun in lunmap.luns.items():
        for group in groups_of(lunmap, lun) if lun.hook else ():
            hooks.setdefault(group, lun.hook)
            found.setdefault(group, {})[name] = source_on(lun, node, lunmap.nodes[node])
    return {
        group: HookCall(hooks[group], *group, node, tuple(paths.items())) for group, paths in found.items()
    }
