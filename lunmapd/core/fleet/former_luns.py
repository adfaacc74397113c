"""Whether nodes know that no host still has the device of a former Lun under a LUN address. Pure."""

from collections.abc import Iterable, Mapping

from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import STORE, FormerOccupant, NodeStatus
from lunmapd.core.map.reuse import ReusedAddress


def doubt_of(
    reused: ReusedAddress, serving: Iterable[str], nodes: Mapping[str, NodeView], cluster: str, newest: int
) -> str:
    """Return why the host of the address may still have the former device, "" if every node knows better.

    `serving` are the nodes that serve the target in the new map, `nodes` the present state by node. `cluster`
    and `newest` are those of the current map.
    """
    names = sorted(serving)
    if not names:
        return "no node serves the target, so none knows whether the host still has that device"
    doubts = (_doubt(reused, name, nodes.get(name, NodeView()), cluster, newest) for name in names)
    return next(filter(None, doubts), "")


def _doubt(reused: ReusedAddress, node: str, view: NodeView, cluster: str, newest: int) -> str:
    status = view.status if view.is_current else None
    if status is None:
        state = "dead" if not view.live else "silent"
        return f"node {node} is {state}, so it can't report whether the host still has that device"
    if not _has_observed(status, reused.newest, cluster, newest):
        return f"node {node} has not read revision {reused.newest} of this map yet"
    return _doubt_of_memory(reused, node, status)


def _doubt_of_memory(reused: ReusedAddress, node: str, status: NodeStatus) -> str:
    if status.former_since is None:
        return f"node {node} remembers no former LUNs"
    if status.former_since >= reused.oldest:
        return f"node {node} remembers former LUNs only since revision {status.former_since}"
    if status.former_count > len(status.former):
        return f"node {node} has more former LUNs than its status lists"
    if any(_may_be_held(entry, reused) for entry in status.former):
        return f"node {node} reports that the host may still have that device"
    return ""


def _has_observed(status: NodeStatus, revision: int, cluster: str, newest: int) -> bool:
    """Return whether the node follows this tree and has read this revision of it."""
    at = status.observed
    follows = STORE not in status.false_conditions
    return follows and at is not None and at.cluster == cluster and revision <= at.revision <= newest


def _may_be_held(entry: FormerOccupant, reused: ReusedAddress) -> bool:
    return (entry.target, entry.initiator, entry.lun) == reused.address and (
        entry.serial != reused.occupant.serial
    )
