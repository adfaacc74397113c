"""Which hook a group of the map has, and for which devices."""

from lunmapd.core.base.lunmap import GroupId, Lunmap, luns_of_group, source_on
from lunmapd.core.floating.promotion import HookCall


def hook_call(lunmap: Lunmap, group: GroupId, node: str) -> HookCall | None:
    """Return the hook of a group at a node, None if its Luns need none. By the rules they name the same."""
    luns = {name: lunmap.luns[name] for name in luns_of_group(lunmap, group)}
    hooked = {name: lun for name, lun in luns.items() if lun.hook}
    if not hooked:
        return None
    paths = ((name, source_on(lun, node, lunmap.nodes[node])) for name, lun in hooked.items())
    return HookCall(next(iter(hooked.values())).hook, *group, node, tuple(paths))
