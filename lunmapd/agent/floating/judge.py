"""How well this node can own each of its floating portal and takeover groups, by its own last status."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.agent.floating.own_report import Judgement
from lunmapd.core.base.lunmap import GroupId, Lunmap, reporting_nodes
from lunmapd.core.fleet.lag import RecentHistory
from lunmapd.core.fleet.path_state import DRAINED, USABLE, NodeView, PathState, path_state_of
from lunmapd.core.fleet.status import HistoryPoint, NodeStatus
from lunmapd.core.floating.fitness import fitness_of, luns_of_group, scopes_of_group
from lunmapd.core.placement.alua_states import closed_nodes, state_on
from lunmapd.core.placement.leased_groups import leased_groups, takeover_nodes
from lunmapd.core.planning.moving import Groups, Others

NOTHING_KNOWN: Mapping[GroupId, Judgement] = {}


def judge_groups(
    lunmap: Lunmap,
    node: str,
    status: NodeStatus,
    before: Mapping[GroupId, Judgement] = NOTHING_KNOWN,
    disturbed: Groups = (),
) -> dict[GroupId, Judgement]:
    """Return the judgement for each group that this node may own.

    A node that does not know its objects now is not fit, but serves what it served `before`. Otherwise an
    error that all nodes meet, such as a removal that they hold, would end the service. `disturbed` are the
    floating portal groups whose hosts the last pass would have disturbed: once others can serve them, the
    node is fit for none until it has made the change.
    """
    state, revision = _path_state(lunmap, node, status)
    groups = (name for name, group in leased_groups(lunmap).items() if node in group.nodes)
    judged = {group: _judge(lunmap, group, node, state, before.get(group)) for group in groups}
    others = {each.others for each in disturbed} - {Others.NONE}
    return {
        group: _moving(found, others)
        if others and not takeover_nodes(group)
        else replace(found, revision=revision)
        for group, found in judged.items()
    }


def _moving(found: Judgement, others: AbstractSet[Others]) -> Judgement:
    """Return the judgement while a change waits; the node has not applied its revision."""
    if Others.READY not in others:
        return replace(found, moving=True)
    reason = found.reason or "a change waits that would disturb its hosts here"
    return replace(found, fit=False, reason=reason, moving=True)


def _path_state(lunmap: Lunmap, node: str, status: NodeStatus) -> tuple[PathState, int]:
    """Return the state of the node's paths by the map that it has applied, and the revision of that map.

    It may not be the newest; the revision is 0 if none is known.
    """
    view = NodeView(live=True, status=status)
    points = [point for point in (status.observed, status.applied) if point is not None]
    states = [(path_state_of(lunmap, node, view, _only(point)), point.revision) for point in points]
    known = ((state, revision) for state, revision in states if state.changed is not None)
    return next(known, (states[0][0] if states else PathState(DRAINED), 0))


def _only(point: HistoryPoint) -> RecentHistory:
    return RecentHistory(point.cluster, point.revision, point.digest)


def _judge(
    lunmap: Lunmap, group: GroupId, node: str, state: PathState, before: Judgement | None
) -> Judgement:
    found = fitness_of(lunmap, group, node, state)
    if found.fit:
        return Judgement(fit=True, served=found.served)
    served = before.served if before is not None and state.all not in {"", DRAINED} else found.served
    return Judgement(fit=False, served=served, reason=_reason(lunmap, group, node, state))


def _reason(lunmap: Lunmap, group: GroupId, node: str, state: PathState) -> str:
    """Return what keeps the node from serving a group, as a sentence."""
    if state.all:
        return f"the node is {state.all}" if state.all == DRAINED else f"the node does not serve: {state.all}"
    own = scopes_of_group(group) | {f"luns/{name}" for name in luns_of_group(lunmap, group)}
    found = ((scope, _excluded(lunmap, scope, node) or state.state({scope})) for scope in sorted(own))
    bad = {scope: word for scope, word in found if word not in USABLE}
    if not bad:
        return "the node does not serve an initiator of the target"
    scope, reason = next(iter(bad.items()))
    more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
    return f"the node does not serve {scope} ({reason}){more}"


def _excluded(lunmap: Lunmap, scope: str, node: str) -> str:
    """Return why the map lets a Lun, given by its scope, accept no I/O through a node, "" if it does."""
    lun = lunmap.luns.get(scope.removeprefix("luns/"))
    if lun is None:
        return ""
    if node not in reporting_nodes(lunmap, lun):
        return "its `nodes` do not name this node"
    return f"it is {state_on(lun, node)} here by the map" if node in closed_nodes(lunmap, lun) else ""
