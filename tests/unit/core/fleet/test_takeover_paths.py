"""The paths of a Lun that nodes take over from one another, and how well a node can own it."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.floating.judge import judge_groups
from lunmapd.agent.floating.own_report import Judgement
from lunmapd.core.base.lunmap import AluaState, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.only_ways import find_only_ways
from lunmapd.core.fleet.path_problems import find_path_problems
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import Failing
from lunmapd.core.node.observed import Login
from lunmapd.core.placement.alua_states import sole_path_luns
from support.explaining import paths
from support.forecasts import REVISION, status, view
from support.small_map import LUN, drained
from support.takeover_map import GROUP, OWNER, STANDBY, TAKEN, TAKEOVER, THREE, UNFIT, H, T

HERE = Login(T, H)
OWNED, WAITING = view(HERE, floating=(OWNER,)), view(HERE, floating=(STANDBY,))


def test_the_owner_is_the_path_and_the_others_wait() -> None:
    """The Lun is whole with the one path that the map intends at a time."""
    found = paths(TAKEOVER, n1=OWNED, n2=WAITING)
    assert found.paths == (NodePath("n1", "ok", standby=("n2",)), NodePath("n2", "standby"))
    assert (found.usable, found.intended, found.is_whole) == (1, 1, True)
    moved = paths(TAKEOVER, n1=WAITING, n2=OWNED)
    assert moved.paths == (NodePath("n1", "standby"), NodePath("n2", "ok", standby=("n1",)))


def test_open_others_are_paths_too() -> None:
    """With `others: non-optimized` the list decides about the priority alone."""
    lunmap = replace(THREE, luns={"a": replace(TAKEN, others=AluaState.NON_OPTIMIZED)})
    found = paths(lunmap, n1=OWNED, n2=WAITING, n3=view(HERE))
    assert (found.usable, found.intended, found.is_whole) == (3, 3, True)


def test_without_an_owner_the_lun_is_an_outage() -> None:
    """Each path accepts no I/O until a node owns the group."""
    (problem,) = find_path_problems([paths(TAKEOVER, n1=WAITING, n2=WAITING)])
    assert [path.state for path in problem.paths] == ["standby", "standby"]
    assert problem.is_outage


@pytest.mark.parametrize(
    ("n2", "standby"), [(WAITING, ("n2",)), (view(floating=(UNFIT,)), ()), (view(live=False), ())]
)
def test_only_a_fit_node_can_take_over(n2: NodeView, standby: tuple[str, ...]) -> None:
    """One that is dead or not fit is no successor."""
    assert paths(TAKEOVER, n1=OWNED, n2=n2).paths[0].standby == standby


def test_a_drained_node_is_no_successor() -> None:
    """It could not own the Lun, whatever it reports."""
    assert paths(drained(TAKEOVER, "n2"), n1=OWNED, n2=WAITING).paths[0].standby == ()


def test_a_node_is_not_the_only_way_if_a_host_is_logged_in_where_the_lun_moves() -> None:
    """A host that is not logged in at the other node loses the Lun."""
    for other, lost in ((WAITING, []), (view(floating=(STANDBY,)), ["a"])):
        found = paths(TAKEOVER, n1=OWNED, n2=other)
        assert [way.lun for way in find_only_ways(TAKEOVER, [found], "n1")] == lost
    assert sole_path_luns(TAKEOVER, "n1") == 0


def test_a_host_should_be_logged_in_where_the_lun_moves() -> None:
    """A host that is not would lose the Lun with its owner, so it is noted as for an open path."""
    for n2, missing in ((WAITING, ()), (view(floating=(STANDBY,)), ("n2",)), (view(floating=(UNFIT,)), ())):
        (host,) = paths(TAKEOVER, n1=OWNED, n2=n2).initiators
        assert host.missing == missing


def judge(lunmap: Lunmap, *failing: str, node: str = "n1") -> Judgement:
    """Return the judgement of the group at a node where these objects fail."""
    entries = tuple(Failing(item, Reason.STUCK, "it hangs") for item in failing)
    return judge_groups(lunmap, node, status(failing=entries, failing_count=len(entries)))[GROUP]


@pytest.mark.parametrize(
    ("failing", "served", "reason"),
    [
        ((), 1, ""),
        (("storage_object a",), 0, "the node does not serve luns/a (Stuck)"),
        (("storage_object b",), 1, ""),
        ((f"tpg {T} 1",), 0, f"the node does not serve tpg {T} (Stuck)"),
    ],
    ids=["all", "a Lun of the group", "another Lun of the target", "the TPG"],
)
def test_a_node_is_fit_if_it_serves_the_luns_of_the_group(
    failing: tuple[str, ...], served: int, reason: str
) -> None:
    """Other Luns of the target don't count: they stay when the group moves."""
    lunmap = replace(TAKEOVER, luns={"a": TAKEN, "b": replace(LUN, serial="2" * 32)})
    found = Judgement(fit=not reason, served=served, reason=reason, revision=REVISION)
    assert judge(lunmap, *failing) == found
    assert judge_groups(THREE, "n3", status()) == {}
