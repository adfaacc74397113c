"""What is wrong with a node that tries a revision and was not wrong before."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import EMPTY_MAP, NodeState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.rollout_health import new_problems
from lunmapd.core.fleet.status import APPLIED, STORE, Condition, Failing, NodeStatus
from lunmapd.core.node.observed import Login
from lunmapd.core.node.refused_logins import RefusalCause, RefusedLogins
from support.small_map import MAP, H, T

NOW = "2026-01-01T00:00:00Z"
LOGIN = Login(T, H)
WELL = NodeStatus("b", "v", NOW, logins=(LOGIN,), sessions=1)
REFUSED = RefusedLogins(T, RefusalCause.AUTHENTICATION, 1, NOW, NOW, H, "10.0.0.9")


def live(status: NodeStatus | None) -> NodeView:
    """Make a node that lives and has this status."""
    return NodeView(live=True, status=status)


def wrong(kind: str, reason: Reason) -> Condition:
    """Make a condition that does not hold."""
    return Condition(kind, status=False, reason=reason, message="words", since=NOW)


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        (NodeView(status=WELL), "it is dead"),
        (NodeView(live=True, silent=True, status=WELL), "it is silent"),
        (live(replace(WELL, conditions=(wrong(STORE, Reason.LOST),))), "StoreReadable: Lost: words"),
        (live(replace(WELL, conditions=(wrong(APPLIED, Reason.HELD),))), "Applied: Held: words"),
        (live(replace(WELL, failing=(Failing("lun a", "InUse", "busy"),))), "lun a: InUse: busy"),
        (live(replace(WELL, refused=(REFUSED,))), f"{T} refused a login of {H}: authentication"),
        (
            live(replace(WELL, refused=(replace(REFUSED, initiator=""),))),
            f"{T} refused a login of a host: authentication",
        ),
        (live(replace(WELL, logins=(), sessions=0)), f"{H} is not logged in to {T} any more"),
    ],
)
def test_a_new_problem_is_found(node: NodeView, problem: str) -> None:
    """The session, a condition, an object, a refused login or a lost one; what is known is none."""
    assert new_problems("n1", live(WELL), node, MAP) == (problem,)
    if node.is_current and node.status is not None and node.status.logins:
        assert new_problems("n1", node, node, MAP) == ()


@pytest.mark.parametrize("reason", [Reason.REMAINING, Reason.LEFT_EMPTY, Reason.DRAINING, Reason.MOVING])
def test_what_a_node_has_on_its_way_is_no_problem(reason: Reason) -> None:
    """Steps that are left, a LUN number that stays empty for a while, or a TPG that hosts still leave."""
    failing = (Failing("lun a", reason, "words"),)
    on_its_way = replace(WELL, conditions=(wrong(APPLIED, reason),), failing=failing)
    assert new_problems("n1", live(WELL), live(on_its_way), MAP) == ()


def test_a_login_that_nobody_expects_is_not_missed() -> None:
    """The host has no Lun there, the status lists no logins, none was known, or the node is drained."""
    gone = live(replace(WELL, logins=(), sessions=0))
    assert new_problems("n1", live(WELL), gone, EMPTY_MAP) == ()
    assert new_problems("n1", live(WELL), live(replace(WELL, logins=(), sessions=300)), MAP) == ()
    assert new_problems("n1", live(None), gone, MAP) == ()
    drained = {"n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)}
    assert new_problems("n1", live(WELL), gone, replace(MAP, nodes=drained)) == ()
