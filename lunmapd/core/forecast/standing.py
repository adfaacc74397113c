"""Whether a node is as the newest map says, so that its next pass can be computed from the map."""

from enum import StrEnum
from itertools import chain

from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import NodeStatus, Standing, standing_of


class NodeOutlook(StrEnum):
    """The present state of a node.

    ABSENT: it is in the map, and no status of it can be read. BEHIND: it has not applied the newest revision.
    """

    CONVERGED = "converged"
    BEHIND = "behind"
    DEGRADED = "degraded"
    HELD = "held"
    SILENT = "silent"
    DEAD = "dead"
    ABSENT = "absent"


_OF_STANDING = {Standing.HELD: NodeOutlook.HELD, Standing.DEGRADED: NodeOutlook.DEGRADED}


def outlook_of(view: NodeView, revision: int) -> NodeOutlook:
    """Return the state of a node; `revision` is the newest one of the map."""
    if view.status is None:
        return NodeOutlook.ABSENT
    if not view.live:
        return NodeOutlook.DEAD
    if view.silent:
        return NodeOutlook.SILENT
    standing = standing_of(view.status)
    if standing in _OF_STANDING:
        return _OF_STANDING[standing]
    applied = view.status.applied
    is_newest = applied is not None and applied.revision == revision
    return NodeOutlook.CONVERGED if standing is Standing.CONVERGED and is_newest else NodeOutlook.BEHIND


_MEANINGS = {
    NodeOutlook.BEHIND: ": these steps come together with those not applied yet",
    NodeOutlook.SILENT: ": these steps wait until the daemon goes on",
    NodeOutlook.DEAD: ": these steps wait until the node is back",
    NodeOutlook.ABSENT: ", without a status: these steps wait until the first start",
}


def describe_outlook(outlook: NodeOutlook, status: NodeStatus | None) -> str:
    """Return what the state of a node means for its steps, to follow `it is`; "" for a converged one."""
    if outlook is NodeOutlook.CONVERGED:
        return ""
    if outlook in _MEANINGS:
        return f"{outlook}{_MEANINGS[outlook]}"
    problem = "" if status is None else _first_problem(status)
    return f"{outlook} ({problem}): the steps may differ from these"


def _first_problem(status: NodeStatus) -> str:
    """Return the first condition of a status that is false, else the first object that fails."""
    conditions = (f"{entry.type}: {entry.reason}" for entry in status.conditions if not entry.status)
    objects = (f"{entry.object}: {entry.reason}" for entry in status.failing)
    return next(chain(conditions, objects), "")
