"""The condition of a node's floating groups."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.floating.conditions import floating_conditions
from lunmapd.agent.floating.view import GroupView
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.documents import Report
from lunmapd.core.node.failure import Failure

TAKEOVER = GroupId("t", "n1,n2")
GOLD, TIN = GroupId("t", "gold"), GroupId("t", "tin")
SINCE = "2026-01-31T12:00:00Z"
OWNED = GroupView(GOLD, GroupPhase.OWNER, "n1", "n1", SINCE)
STANDBY = GroupView(TIN, GroupPhase.STANDBY, "n2", "n2", SINCE)
LOST = GroupView(GOLD, GroupPhase.LOST, "n1", "n1", SINCE)
MOVING = GroupView(GOLD, GroupPhase.STANDBY, "", "n2", SINCE)
NOBODY = GroupView(GOLD, GroupPhase.STANDBY, "", "", SINCE, Report(reason="db1 fails"))
UNMADE = GroupView(GOLD, GroupPhase.STANDBY, "", "", SINCE, Report(fit=True))
IN_USE = GroupView(GOLD, GroupPhase.IN_USE, problem=Failure(Reason.ADDRESS_IN_USE, "10.0.0.50 is in use"))


@pytest.mark.parametrize(
    ("views", "status", "reason", "message"),
    [
        ((OWNED, STANDBY), True, Reason.OWNED, "the node serves gold of t"),
        ((STANDBY,), True, Reason.STANDBY, "other nodes serve the floating groups"),
        ((GroupView(GOLD),), True, Reason.STANDBY, "other nodes serve the floating groups"),
        ((MOVING,), True, Reason.STANDBY, "other nodes serve the floating groups"),
        ((OWNED, NOBODY), False, Reason.NO_FIT_NODE, "floating group gold of t: no node can own it; this one: db1 fails"),
        ((UNMADE,), False, Reason.NO_FIT_NODE, "floating group gold of t: the node finds no lease of it in ZooKeeper: apply the map again"),
        ((LOST,), False, Reason.LEASE_LOST, "floating group gold of t: the lease has ended, and with it the addresses"),
        ((IN_USE,), False, Reason.ADDRESS_IN_USE, "floating group gold of t: 10.0.0.50 is in use"),
        ((replace(LOST, id=TAKEOVER),), False, Reason.LEASE_LOST, "takeover group n1,n2 of t: the lease has ended, and with it the optimized paths"),
    ],
)  # fmt: skip
def test_the_first_problem_decides(
    views: tuple[GroupView, ...], reason: Reason, message: str, *, status: bool
) -> None:
    """A group that moves is no problem, nor is one that the node has not looked at."""
    (found,) = floating_conditions(views, known=False)
    assert (found.type, found.status, found.reason, found.message) == (
        "FloatingServed",
        status,
        reason,
        message,
    )


def test_a_node_without_groups_has_no_condition() -> None:
    """Unless its status has it from a group that is gone: then it holds."""
    assert list(floating_conditions((), known=False)) == []
    (found,) = floating_conditions((), known=True)
    assert (found.status, found.reason) == (True, Reason.STANDBY)
