"""The ALUA state of a Lun on each node that reports it, as the map says."""

from lunmapd.core.base.lunmap import CLOSED, AluaState, Lun, Lunmap, NodeState, is_drained, reporting_nodes
from lunmapd.core.placement.leased_groups import preferred_nodes, takeover_group


def state_on(lun: Lun, node: str, owner: str | None = None) -> AluaState:
    """Return the ALUA state of a Lun on a node, if other nodes report the Lun too.

    `owner` is that of the Lun's takeover group, "" for none. Without it, it is the state of each node of the
    group as its owner.
    """
    nodes = preferred_nodes(lun)
    if nodes and owner is not None and takeover_group(lun) is not None:
        nodes = (owner,)
    return AluaState.OPTIMIZED if not nodes or node in nodes else lun.others


def offered_state(lunmap: Lunmap, lun: Lun, node: str, owner: str | None = None) -> tuple[AluaState, bool]:
    """Return the ALUA state that a node reports for a Lun of several nodes, and whether as the preferred one.

    It is that of `state_on`, but hosts are led away from a drained node: that node reports an open path as
    non-optimized, and the other nodes report theirs as optimized if the preferred node is the drained one. A
    path that the map closes stays closed. A Lun of a takeover group has the state of `state_on`: its owner
    is not drained. It has no preferred node, since the preferred bit would have to move with the owner.
    """
    state = state_on(lun, node, owner)
    if state in CLOSED or takeover_group(lun) is not None:
        return state, False
    if is_drained(lunmap, node):
        return AluaState.NON_OPTIMIZED, False
    if any(is_drained(lunmap, preferred) for preferred in preferred_nodes(lun)):
        return AluaState.OPTIMIZED, False
    return state, node in preferred_nodes(lun)


def closed_nodes(lunmap: Lunmap, lun: Lun, owner: str | None = None) -> frozenset[str]:
    """Return the reporting nodes through which the Lun accepts no I/O, since the map says so.

    `owner` is that of the Lun's takeover group, "" for none; without it each node of the group may be it.
    """
    nodes = reporting_nodes(lunmap, lun)
    return frozenset(node for node in nodes if len(nodes) > 1 and state_on(lun, node, owner) in CLOSED)


def sole_path_luns(lunmap: Lunmap, node: str) -> int:
    """Return the number of mapped Luns that have no path when this node fails, judged by the map alone."""
    return sum(_open_nodes(lunmap, lun) == {node} for lun in lunmap.luns.values() if lun.maps)


def _open_nodes(lunmap: Lunmap, lun: Lun) -> set[str]:
    nodes = set(reporting_nodes(lunmap, lun)) - closed_nodes(lunmap, lun)
    return {
        name for name in nodes if name in lunmap.nodes and lunmap.nodes[name].state is not NodeState.DRAINED
    }
