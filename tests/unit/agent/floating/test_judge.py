"""How well a node can own its groups, by its own status."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.floating.judge import judge_groups
from lunmapd.agent.floating.own_report import Judgement
from lunmapd.core.base.lunmap import AluaState, GroupId, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import Failing
from lunmapd.core.planning.moving import Others, ServedGroup
from support.floating_map import FLOATING, LUN, MIXED, H, T
from support.forecasts import REVISION, status

GOLD = GroupId(T, "gold")


def judge(lunmap: Lunmap, *failing: str, node: str = "n1") -> Judgement:
    """Return the judgement of the group at a node where these objects fail."""
    entries = tuple(Failing(item, Reason.STUCK, "it hangs") for item in failing)
    return judge_groups(lunmap, node, status(failing=entries, failing_count=len(entries)))[GOLD]


def test_a_node_judges_the_groups_that_name_it() -> None:
    """It is fit if it serves every Lun of a group."""
    assert judge(FLOATING) == Judgement(fit=True, served=1, revision=REVISION)
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
    assert judge(lunmap, *failing) == Judgement(not reason, served, reason, REVISION)


def disturbs(others: Others) -> Judgement:
    """Return the judgement after a pass that would disturb the hosts of the group."""
    disturbed = (ServedGroup(T, 1001, others),)
    return judge_groups(FLOATING, "n1", status(), disturbed=disturbed)[GOLD]


def test_a_node_whose_change_waits_gives_its_groups_away() -> None:
    """It does so once others can serve them; until then it is fit, and has not applied the revision."""
    reason = "a change waits that would disturb its hosts here"
    assert disturbs(Others.READY) == Judgement(fit=False, served=1, reason=reason, moving=True)
    assert disturbs(Others.BEHIND) == Judgement(fit=True, served=1, moving=True)
    assert disturbs(Others.NONE) == Judgement(fit=True, served=1, revision=REVISION)
