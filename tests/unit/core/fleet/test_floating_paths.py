"""The paths through floating groups: one for each group, through its owner."""

from typing import Any

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, GroupId, NodeState, Target, TpgId
from lunmapd.core.fleet.group_owners import find_owners, owned_tpgs
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_problems import find_lost_logins
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import Failing, GroupPhase
from lunmapd.core.node.observed import Login
from lunmapd.core.placement.alua_states import sole_path_luns
from support.explaining import paths
from support.floating_map import FLOATING, GOLD, LUN, MIXED, OWNER, PORTAL, STANDBY, H, T
from support.forecasts import view

HERE = Login(T, H)
THROUGH_N1 = NodePath("n1", "ok", target=T, floating="gold", standby=("n2",))


def owner(*logins: Login, **fields: Any) -> NodeView:
    """Return a node that owns the group."""
    return view(*logins, floating=(OWNER,), **fields)


def test_a_group_is_one_path_through_its_owner() -> None:
    """The other nodes of the list are no paths; the node's own TPGs beside the group are."""
    found = paths(FLOATING, n1=owner(HERE), n2=view(floating=(STANDBY,)))
    assert (found.usable, found.intended, found.paths) == (1, 1, (THROUGH_N1,))
    assert found.is_whole
    mixed = paths(MIXED, n1=owner(HERE), n2=view(floating=(STANDBY,)), n3=view(HERE))
    assert mixed.paths == (NodePath("n1", "ok"), NodePath("n3", "ok"), THROUGH_N1)
    assert (mixed.usable, mixed.intended) == (3, 3)
    assert [path.label for path in mixed.paths] == ["n1", "n3", "gold@n1"]


@pytest.mark.parametrize(
    "views",
    [
        {"n1": view(), "n2": view(floating=(STANDBY,))},
        {"n1": owner(live=False), "n2": view(floating=(STANDBY,))},
        {"n1": owner(silent=True)},
        {},
    ],
    ids=["nobody yet", "the owner is dead", "the owner is silent", "nobody registered"],
)
def test_without_an_owner_there_is_no_path(views: dict[str, NodeView]) -> None:
    """The path is intended all the same, so the Lun is cut off."""
    found = paths(FLOATING, **views)
    assert (found.usable, found.intended) == (0, 1)
    assert found.paths == (NodePath("", "no-owner", target=T, floating="gold"),)
    assert found.paths[0].label == "gold"


def test_a_group_whose_nodes_are_all_drained_intends_no_path() -> None:
    """It is an admin's wish that nobody serves it; one active node is enough to intend a path."""
    drained = {name: replace(node, state=NodeState.DRAINED) for name, node in FLOATING.nodes.items()}
    found = paths(replace(FLOATING, nodes=drained))
    assert (found.usable, found.intended, found.paths[0].state) == (0, 0, "drained")
    one = paths(replace(FLOATING, nodes={**drained, "n2": FLOATING.nodes["n2"]}))
    assert (one.intended, one.paths[0].state) == (1, "no-owner")


def test_the_nodes_that_could_own_a_group_are_named() -> None:
    """Those that report to be fit, are not drained, and whose status describes the present."""
    unfit = replace(STANDBY, fit=False)
    for there, standby in (
        (view(floating=(STANDBY,)), ("n2",)),
        (view(floating=(unfit,)), ()),
        (view(floating=(STANDBY,), live=False), ()),
    ):
        assert paths(FLOATING, n1=owner(), n2=there).paths[0].standby == standby
    drained = {**FLOATING.nodes, "n2": replace(FLOATING.nodes["n2"], state=NodeState.DRAINED)}
    found = paths(replace(FLOATING, nodes=drained), n1=owner(), n2=view(floating=(STANDBY,)))
    assert found.paths[0].standby == ()


def test_of_two_nodes_that_report_to_be_owner_the_later_one_counts() -> None:
    """The status of the former one may be some seconds old."""
    later = replace(OWNER, owner="n2", since="10:05")
    statuses = {"n2": view(floating=(later,)).status, "n1": view(floating=(OWNER,)).status}
    assert find_owners({name: each for name, each in statuses.items() if each}) == {GroupId(T, "gold"): "n2"}
    found = paths(FLOATING, n1=owner(), n2=view(floating=(later,)))
    assert found.paths[0].node == "n2"


@pytest.mark.parametrize(
    ("item", "fixed", "floating"),
    [
        (f"tpg {T} 1001", "ok", "Why"),
        (f"enabled {T} 1001", "ok", "Why"),
        (f"acl {T} 1001 {H}", "ok", "Why"),
        (f"portal {T} 1001 {PORTAL}", "ok", "Why"),
        (f"portal {PORTAL}", "ok", "Why"),
        (f"tpg {T} 1", "Why", "ok"),
        (f"acl {T} 1 {H}", "Why", "ok"),
        ("portal 10.0.0.1:3260", "Why", "ok"),
        (f"target {T}", "Why", "Why"),
        (f"tpg {T} 7", "ok", "ok"),
    ],
)
def test_what_fails_in_one_tpg_is_no_problem_of_the_other(item: str, fixed: str, floating: str) -> None:
    """A node's own TPG and that of a group it owns are judged apart."""
    failing = (Failing(item, "Why", ""),)
    found = paths(MIXED, n1=owner(failing=failing, failing_count=1), n3=view())
    assert {path.label: path.state for path in found.paths} == {"n1": fixed, "n3": "ok", "gold@n1": floating}


def test_some_portals_of_a_group_are_enough() -> None:
    """The path is degraded then."""
    portals = replace(GOLD, portals=(PORTAL, "[fd00::50]:3260"))
    lunmap = replace(FLOATING, targets={T: Target({}, floating={"gold": portals})})
    found = paths(lunmap, n1=owner(failing=(Failing(f"portal {PORTAL}", "Why", ""),), failing_count=1))
    assert (found.paths[0].state, found.usable, found.is_whole) == ("degraded", 1, False)


def test_an_owner_on_which_the_lun_is_closed_is_no_path() -> None:
    """The map lets the Lun accept no I/O there; a node that is only not preferred is as good as any."""
    for others, state in ((AluaState.STANDBY, "standby"), (AluaState.NON_OPTIMIZED, "ok")):
        lun = replace(LUN, preferred="n2", others=others)
        assert paths(replace(FLOATING, luns={"a": lun}), n1=owner()).paths[0].state == state


def test_a_host_with_one_path_misses_no_other() -> None:
    """Logged in at the owner it has what it uses; elsewhere the nodes' own TPGs count, not the group."""
    at_owner = paths(MIXED, n1=owner(HERE), n3=view())
    assert at_owner.initiators == (Host(H, T, at=("n1",)),)
    assert find_lost_logins([at_owner]) == ()
    at_n3 = paths(MIXED, n1=view(), n2=view(floating=(replace(OWNER, owner="n2"),)), n3=view(HERE))
    assert at_n3.initiators == (Host(H, T, at=("n3",), missing=("n1",)),)
    nowhere = paths(FLOATING, n1=owner(), n2=view(floating=(STANDBY,)))
    assert nowhere.initiators == (Host(H, T, missing=("n1",)),)


def test_a_host_that_is_still_at_the_former_owner_is_not_logged_in() -> None:
    """Only the owner's login counts where the target has no other TPG."""
    found = paths(FLOATING, n1=owner(), n2=view(HERE, floating=(STANDBY,)))
    assert found.initiators == (Host(H, T, missing=("n1",)),)


def test_a_lun_behind_a_group_survives_any_of_its_nodes() -> None:
    """Judged by the map, another node of the list may take over."""
    assert [sole_path_luns(FLOATING, node) for node in ("n1", "n2", "n3")] == [0, 0, 0]
    alone = {T: Target({}, floating={"gold": replace(GOLD, nodes=("n1",))})}
    assert sole_path_luns(replace(FLOATING, targets=alone), "n1") == 1


def test_a_status_names_the_tpgs_that_a_node_serves() -> None:
    """Those of the groups that it owns, as far as the map has them."""
    statuses = (OWNER, replace(OWNER, name="gone"), replace(OWNER, phase=GroupPhase.LOST))
    found = [view(floating=(each,)).status for each in statuses]
    owned = [owned_tpgs(FLOATING, each) for each in found if each is not None]
    assert owned == [{TpgId(T, 1001)}, frozenset(), frozenset()]
