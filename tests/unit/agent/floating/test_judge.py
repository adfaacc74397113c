"""How well a node can own its groups, by its own status."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.floating.group import Judgement
from lunmapd.agent.floating.judge import judge_groups
from lunmapd.core.base.lunmap import AluaState, GroupId, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import Failing
from support.floating_map import FLOATING, LUN, MIXED, H, T
from support.forecasts import status

GOLD = GroupId(T, "gold")


def judge(lunmap: Lunmap, *failing: str, node: str = "n1") -> Judgement:
    """Return the judgement of the group at a node where these objects fail."""
    entries = tuple(Failing(item, Reason.STUCK, "it hangs") for item in failing)
    return judge_groups(lunmap, node, status(failing=entries, failing_count=len(entries)))[GOLD]


def test_a_node_judges_the_groups_that_name_it() -> None:
    """It is fit if it serves every Lun of a group."""
    assert judge(FLOATING) == Judgement(fit=True, served=1)
    assert judge_groups(FLOATING, "n3", status()) == {}


@pytest.mark.parametrize(
    ("lunmap", "failing", "served", "reason"),
    [
        (FLOATING, ("storage_object a",), 0, "the node does not serve luns/a (Stuck)"),
        (MIXED, (f"tpg {T} 1001",), 0, f"the node does not serve tpg {T} gold (Stuck)"),
        (MIXED, (f"tpg {T} 1",), 1, ""),
        (FLOATING, (f"acl {T} 1001 {H}",), 0, "the node does not serve an initiator of the target"),
        (
            replace(FLOATING, luns={"a": replace(LUN, nodes=("n2",))}),
            (),
            0,
            "the node does not serve luns/a (its `nodes` do not name this node)",
        ),
        (
            replace(FLOATING, luns={"a": replace(LUN, preferred="n2", others=AluaState.STANDBY)}),
            (),
            0,
            "the node does not serve luns/a (it is standby here by the map)",
        ),
        (
            replace(
                FLOATING,
                luns={name: replace(LUN, nodes=("n2",)) for name in ("a", "b")},
            ),
            (),
            0,
            "the node does not serve luns/a (its `nodes` do not name this node), and 1 more",
        ),
    ],
    ids=["a Lun", "the TPG", "the own TPG", "an ACL", "not reported", "closed", "two Luns"],
)
def test_the_reason_is_named(lunmap: Lunmap, failing: tuple[str, ...], served: int, reason: str) -> None:
    """It is what fails on the way through the group, or what the map excludes."""
    assert judge(lunmap, *failing) == Judgement(fit=not reason, served=served, reason=reason)
