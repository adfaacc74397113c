"""The condition of a node's floating portal groups."""

from collections.abc import Iterator, Sequence

from lunmapd.agent.floating.view import GroupView
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    FLOATING_SERVED,
    ConditionUpdate,
    GroupPhase,
    false_condition,
    true_condition,
)
from lunmapd.core.node.failure import Failure
from lunmapd.core.placement.leased_groups import describe_group, takeover_nodes


def floating_conditions(views: Sequence[GroupView], *, known: bool) -> Iterator[ConditionUpdate]:
    """Yield the condition FloatingServed of a node that may own a group; the first problem decides it.

    `known`: the status has the condition already, so it is updated in any case.
    """
    if not views and not known:
        return
    for view in views:
        if (problem := _problem(view)) is not None:
            text = f"{describe_group(view.id)}: {problem.message}"
            yield false_condition(FLOATING_SERVED, problem.reason, text)
            return
    owned = [_name(view) for view in views if view.phase is GroupPhase.OWNER]
    if owned:
        yield true_condition(FLOATING_SERVED, Reason.OWNED, f"the node serves {', '.join(owned)}")
    else:
        yield true_condition(FLOATING_SERVED, Reason.STANDBY, "other nodes serve the floating groups")


def _problem(view: GroupView) -> Failure | None:
    if view.problem is not None:
        return view.problem
    if view.phase is GroupPhase.LOST:
        gone = "optimized paths" if takeover_nodes(view.id) else "addresses"
        return Failure(Reason.LEASE_LOST, f"the lease has ended, and with it the {gone}")
    if view.since and not (view.owner or view.chosen):
        return Failure(Reason.NO_FIT_NODE, _lack(view))
    return None


def _lack(view: GroupView) -> str:
    """Return why nobody is to own a group. A fit node chooses one, unless there is no lease to take."""
    if view.report.fit:
        return "the node finds no lease of it in ZooKeeper: apply the map again"
    return f"no node can own it; this one: {view.report.reason}"


def _name(view: GroupView) -> str:
    return f"{view.id.name} of {view.id.target}"
