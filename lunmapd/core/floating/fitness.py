"""How well a node can own a floating portal group, judged by its last status."""

from lunmapd.core.base.lunmap import GroupId, Lunmap, closed_nodes, reporting_nodes
from lunmapd.core.fleet.path_state import USABLE, PathState, scopes_of
from lunmapd.core.floating.choice import Candidate


def fitness_of(lunmap: Lunmap, group: GroupId, node: str, state: PathState) -> Candidate:
    """Return how well a node can own a floating portal group.

    `state` is that of the paths through the node. The node serves a Lun if the map lets it report the Lun and
    accept I/O, and the path through the group is usable. A target without Luns is served by each node that
    has applied it. Only the caller knows since when the node has been fit: `settled` is false.
    """
    names = [
        name for name, lun in lunmap.luns.items() if any(each.target == group.target for each in lun.maps)
    ]
    served = sum(_serves(lunmap, name, group, node, state) for name in names)
    applied = state.state({f"targets/{group.target}", f"tpg {group.target} {group.name}"}) in USABLE
    return Candidate(fit=applied and served == len(names), served=served)


def _serves(lunmap: Lunmap, name: str, group: GroupId, node: str, state: PathState) -> bool:
    lun = lunmap.luns[name]
    if node not in reporting_nodes(lunmap, lun) or node in closed_nodes(lunmap, lun):
        return False
    return state.state(scopes_of(lunmap, name, lun, group)) in USABLE
