"""Notes of a forecast: what it assumes of a node, and what leases and hooks do that no step shows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from lunmapd.core.base.lunmap import Lunmap, reporting_nodes
from lunmapd.core.base.text import first_of
from lunmapd.core.fleet.logins import hides_logins
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.core.placement.leased_groups import takeover_group, takeover_luns, takeover_nodes

_MAX_NAMED = 5


def status_notes(status: NodeStatus) -> Iterator[str]:
    """Yield what a status does not state, and what is assumed instead."""
    if status.limits is None:
        yield f"lunmapd {status.version} does not report its settings: those by default are assumed"
    if hides_logins(status):
        yield f"its status does not list its {status.sessions} sessions: every host with access counts"
    if status.former_count > len(status.former):
        yield "it has more former LUNs than its status lists: it may hold more than this"


def lease_notes(node: str, before: Lunmap, after: Lunmap) -> Iterator[str]:
    """Yield what becomes of Luns that get or lose an owner or a hook; `before` and `after` the commit."""
    yield from _takeover_notes(node, before, after)
    yield from _hook_notes(_hooks(node, before), _hooks(node, after))


def _takeover_notes(node: str, before: Lunmap, after: Lunmap) -> Iterator[str]:
    former = {name: takeover_group(lun) for name, lun in before.luns.items()}
    for group, names in takeover_luns(after).items():
        joining = [name for name in names if name in former and former[name] != group]
        if joining and node in takeover_nodes(group):
            yield (
                f"{first_of(joining, _MAX_NAMED)}: in the state of 'others' through this node unless it owns "
                f"takeover group {group.name}; a new group has an owner after ten seconds"
            )


def _hooks(node: str, lunmap: Lunmap) -> dict[str, str]:
    """Return the hook of each Lun that the node reports, by the Lun's name; Luns without one are left out."""
    hooked = {name: lun for name, lun in lunmap.luns.items() if lun.hook}
    return {name: lun.hook for name, lun in hooked.items() if node in reporting_nodes(lunmap, lun)}


def _hook_notes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for hook, names in _by_hook(after, before).items():
        yield f"{names}: /etc/lunmapd/hooks.d/{hook} promotes the storage while this node owns the group"
    for hook, names in _by_hook(before, after).items():
        yield f"{names}: if hook {hook} has promoted the storage here, it stays so: run its 'demote' by hand"


def _by_hook(hooks: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """Return the first Luns by the hook that they have in `hooks` and not in `others`."""
    names = defaultdict[str, list[str]](list)
    for name, hook in sorted(hooks.items()):
        if others.get(name) != hook:
            names[hook].append(name)
    return {hook: first_of(luns, _MAX_NAMED) for hook, luns in names.items()}
