"""Whether a node is live and writes its heartbeats, by its znodes and the clocks of both machines."""

from datetime import datetime

from lunmapd.core.fleet.path_state import NodeView
from lunmapd.store.tree.members import FleetNode

_MAX_MISSED_HEARTBEATS = 3


def seconds_since(then: str, now: datetime) -> float | None:
    """Return the seconds since a time (RFC 3339), never less than 0; None if it is no time.

    The clocks of two machines are compared.
    """
    try:
        return max(0.0, (now - datetime.fromisoformat(then)).total_seconds())
    except (ValueError, TypeError):
        return None


def is_silent(node: FleetNode, now: datetime) -> bool:
    """Return whether a live node has missed several heartbeats, by the clocks of both machines."""
    if node.live is None or node.status is None or not node.status.beat:
        return False
    return (seconds_since(node.status.time, now) or 0.0) > _MAX_MISSED_HEARTBEATS * node.status.beat


def view_of(node: FleetNode, now: datetime) -> NodeView:
    """Return a node as other machines see it; `now` has a time zone."""
    return NodeView(node.live is not None, is_silent(node, now), node.status)
