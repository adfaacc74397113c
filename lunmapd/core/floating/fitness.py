"""How well a node can own a floating portal group or a takeover group, judged by its last status."""

from lunmapd.core.base.lunmap import GroupId, Lunmap, reporting_nodes
from lunmapd.core.fleet.path_state import USABLE, PathState, scopes_of
from lunmapd.core.floating.choice import Candidate
from lunmapd.core.placement.alua_states import closed_nodes
from lunmapd.core.placement.leased_groups import takeover_group, takeover_nodes


def fitness_of(lunmap: Lunmap, group: GroupId, node: str, state: PathState) -> Candidate:
    """Return how well a node can own a group.

    `state` is that of the paths through the node. The node serves a Lun if the map lets it report the Lun and
    accept I/O, and the path through the group is usable. A target without Luns is served by each node that
    has applied it. Only the caller knows since when the node has been fit: `settled` is false.
    """
    names = luns_of_group(lunmap, group)
    served = sum(_serves(lunmap, name, group, node, state) for name in names)
    applied = state.state(scopes_of_group(group)) in USABLE
    return Candidate(fit=applied and served == len(names), served=served)


def luns_of_group(lunmap: Lunmap, group: GroupId) -> tuple[str, ...]:
    """Return the Luns that the owner of a group serves: those of its target, or those that it takes over."""
    if takeover_nodes(group):
        return tuple(name for name, lun in lunmap.luns.items() if takeover_group(lun) == group)
    return tuple(
        name for name, lun in lunmap.luns.items() if any(each.target == group.target for each in lun.maps)
    )


def scopes_of_group(group: GroupId) -> frozenset[str]:
    """Return the scopes of a group that do not depend on its Luns (path_state.py)."""
    suffix = "" if takeover_nodes(group) else f" {group.name}"
    return frozenset({f"targets/{group.target}", f"tpg {group.target}{suffix}"})


def _serves(lunmap: Lunmap, name: str, group: GroupId, node: str, state: PathState) -> bool:
    lun = lunmap.luns[name]
    if node not in reporting_nodes(lunmap, lun) or node in closed_nodes(lunmap, lun):
        return False
    route = None if takeover_nodes(group) else group
    return state.state(scopes_of(lunmap, name, lun, route)) in USABLE
