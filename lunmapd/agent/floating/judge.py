"""How well this node can own the floating groups of each target, by its own last status."""

from collections.abc import Mapping

from lunmapd.agent.floating.group import Judgement
from lunmapd.core.base.lunmap import Lunmap, Map, groups_on
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.path_state import DRAINED, USABLE, NodeView, PathState, path_state_of
from lunmapd.core.fleet.status import HistoryPoint, NodeStatus
from lunmapd.core.floating.fitness import candidate_of

NOTHING_KNOWN: Mapping[str, Judgement] = {}


def judge_targets(
    lunmap: Lunmap, node: str, status: NodeStatus, before: Mapping[str, Judgement] = NOTHING_KNOWN
) -> dict[str, Judgement]:
    """Return the judgement for each target of which this node may own a group.

    A node that does not know its objects now is not fit, but serves what it served `before`. Otherwise an
    error that all nodes meet, such as a removal that they hold, would end the service.
    """
    state = _path_state(lunmap, node, status)
    return {
        iqn: _judge(lunmap, iqn, state, before.get(iqn))
        for iqn, target in lunmap.targets.items()
        if groups_on(target, node)
    }


def _path_state(lunmap: Lunmap, node: str, status: NodeStatus) -> PathState:
    """Return the state of the node's paths by the map that it has applied, which may not be the newest."""
    view = NodeView(live=True, status=status)
    points = [point for point in (status.observed, status.applied) if point is not None]
    states = [path_state_of(lunmap, node, view, _only(point)) for point in points]
    known = (state for state in states if state.changed is not None)
    return next(known, states[0] if states else PathState(DRAINED))


def _only(point: HistoryPoint) -> RecentHistory:
    return RecentHistory(point.cluster, point.revision, point.digest)


def _judge(lunmap: Lunmap, iqn: str, state: PathState, before: Judgement | None) -> Judgement:
    found = candidate_of(lunmap, iqn, state)
    if found.fit:
        return Judgement(fit=True, served=found.served)
    served = before.served if before is not None and state.all not in {"", DRAINED} else found.served
    return Judgement(fit=False, served=served, reason=_reason(lunmap, iqn, state))


def _reason(lunmap: Lunmap, iqn: str, state: PathState) -> str:
    """Return what keeps the node from serving a target, as a sentence."""
    if state.all:
        return f"the node is {state.all}" if state.all == DRAINED else f"the node does not serve: {state.all}"
    own = {f"targets/{iqn}", *(f"luns/{name}" for name, lun in lunmap.luns.items() if _leads(lun.maps, iqn))}
    bad = {scope: state.state({scope}) for scope in sorted(own) if state.state({scope}) not in USABLE}
    if not bad:
        return "the node does not serve an initiator of the target"
    scope, reason = next(iter(bad.items()))
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"the node does not serve {scope} ({reason}){more}"


def _leads(maps: tuple[Map, ...], iqn: str) -> bool:
    return any(entry.target == iqn for entry in maps)
