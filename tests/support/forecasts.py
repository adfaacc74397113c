"""Nodes as the status that they write shows them, for forecasts."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from lunmapd.client import Proposal
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import DecisionLimits, HistoryPoint, NodeStatus
from lunmapd.core.forecast.fleet import Forecast, forecast_fleet
from lunmapd.core.forecast.node import ForeseenCommit
from lunmapd.core.history.changes import Allowance, diff_maps
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Login
from lunmapd.store.tree.snapshot import Snapshot
from support.small_map import H, T

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
HERE = Login(T, H)
REVISION = 3


def status(*logins: Login, allow: str = "data-unreachable", **fields: Any) -> NodeStatus:
    """Return the status of a node that has applied the newest revision, with the settings by default."""
    at = HistoryPoint("c", REVISION, "d")
    made = NodeStatus(
        "boot",
        "0.1.0",
        NOW,
        at,
        at,
        logins=logins,
        sessions=len(logins),
        former_since=0,
        limits=DecisionLimits(allow, 0.25, 4),
        features=(PORT_ID,),
    )
    return replace(made, **fields)


def view(*logins: Login, live: bool = True, silent: bool = False, **fields: Any) -> NodeView:
    """Return a node with such a status."""
    return NodeView(live, silent, status(*logins, **fields))


def forecast(
    before: Lunmap, after: Lunmap, views: Mapping[str, NodeView], allowance: Allowance | None = None
) -> Forecast:
    """Return what the nodes would do; `views` are by name."""
    return forecast_fleet(ForeseenCommit(before, after, REVISION, allowance, NOW), views)


def proposal(before: Lunmap, after: Lunmap) -> Proposal:
    """Return a proposal on top of the newest revision."""
    return Proposal(Snapshot("c", REVISION, "d", "d", 0, before), after, diff_maps(before, after))
