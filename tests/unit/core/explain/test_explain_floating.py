"""Explanations of floating groups: who owns one, and why another node could not."""

from typing import Any

from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, Lunmap, NodeState
from lunmapd.core.explain.checks import Check, Topic, Verdict
from lunmapd.core.explain.host import SeenPath, explain_host, explain_pair
from lunmapd.core.explain.lun import explain_lun
from lunmapd.core.explain.node import Loss, explain_node
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import Failing
from lunmapd.core.node.observed import Login
from support.explaining import world
from support.floating_map import FLOATING, LUN, MIXED, OWNER, PORTAL, STANDBY, UNFIT, H, T
from support.forecasts import view

HERE = Login(T, H)


def owner(*logins: Login, **fields: Any) -> NodeView:
    """Return a node that owns the group."""
    return view(*logins, floating=(OWNER,), **fields)


def owner_check(lunmap: Lunmap = FLOATING, **views: NodeView) -> Check:
    """Return the check of the owner on the way of the host to the Lun."""
    found = explain_pair(world(views, lunmap), H, "a").checks
    (check,) = (each for each in found if each.topic is Topic.OWNER)
    return check


def test_the_way_through_a_group_begins_with_its_owner() -> None:
    """Then follow the checks of the owner, with the portals of the group and its ALUA state."""
    found = explain_pair(world({"n1": owner(HERE), "n2": view(floating=(STANDBY,))}, FLOATING), H, "a")
    assert found.is_well
    assert [(each.topic, each.text) for each in found.checks[1:]] == [
        (Topic.OWNER, "floating group gold is owned by n1"),
        (Topic.NODE, "alive, converged"),
        (Topic.DEVICE, "exported: /srv/a, 1 GiB"),
        (Topic.PORTAL, PORTAL),
        (Topic.ALUA, "optimized"),
        (Topic.LOGIN, "logged in"),
    ]


def test_a_node_that_could_not_be_the_owner_is_named() -> None:
    """With the reason that it reports; one that is drained or reports nothing is named, too."""
    text = "floating group gold is owned by n1 ({})"
    drained = {**FLOATING.nodes, "n2": replace(FLOATING.nodes["n2"], state=NodeState.DRAINED)}
    unfit, plain = view(floating=(UNFIT,)), view(floating=(STANDBY,))
    assert owner_check(n1=owner(), n2=unfit).text == text.format("n2 is not fit: luns/a: DeviceMissing")
    assert owner_check(n1=owner()).text == text.format("n2 does not report whether it is fit")
    assert owner_check(replace(FLOATING, nodes=drained), n1=owner(), n2=plain).text == text.format(
        "n2 is drained"
    )
    no_reason = view(floating=(replace(UNFIT, reason=""),))
    assert owner_check(n1=owner(), n2=no_reason).text == text.format("n2 is not fit: standby")


def test_a_group_without_an_owner_is_the_only_check() -> None:
    """Nothing else can be said of a path that leads to no node."""
    views = {"n1": view(floating=(UNFIT,)), "n2": view(floating=(STANDBY,))}
    found = explain_pair(world(views, FLOATING), H, "a")
    (check,) = found.checks[1:]
    text = "floating group gold has no owner (n1 is not fit: luns/a: DeviceMissing)"
    assert check == Check(Topic.OWNER, Verdict.NO, text, "", "lunmapctl float list", "lunmapctl float list")
    (lun,) = explain_host(world(views, FLOATING), H).luns
    assert lun.paths == (SeenPath("", Verdict.NO, "no-owner", "gold"),)
    assert explain_lun(world(views, FLOATING), "a").checks == (check,)


def test_what_fails_on_the_way_through_a_group_is_named() -> None:
    """The objects of the group's TPG, its portals, and a Lun that accepts no I/O at the owner."""
    for item, topic in (
        (f"acl {T} 1001 {H}", Topic.ACCESS),
        (f"tpg {T} 1001", Topic.ACCESS),
        (f"portal {T} 1001 {PORTAL}", Topic.PORTAL),
    ):
        failing = (Failing(item, "Why", "it hangs"),)
        checks = explain_pair(
            world({"n1": owner(HERE, failing=failing, failing_count=1)}, FLOATING), H, "a"
        ).checks
        assert {check.topic for check in checks if check.verdict is Verdict.NO} == {topic}
    closed = replace(FLOATING, luns={"a": replace(LUN, preferred="n2", others=AluaState.STANDBY)})
    checks = explain_pair(world({"n1": owner(HERE)}, closed), H, "a").checks
    assert {check.text for check in checks if check.verdict is Verdict.NO} == {"standby"}
    (login,) = (
        check
        for check in explain_pair(world({"n1": owner()}, FLOATING), H, "a").checks
        if check.topic is Topic.LOGIN
    )
    assert login.remedy == f"on the host: iscsiadm -m discovery -t sendtargets -p {PORTAL} --login"


def test_a_lun_is_shown_with_all_its_paths() -> None:
    """The node's own TPGs and the group are checked apart, each with its portals."""
    views = {"n1": owner(HERE), "n2": view(floating=(STANDBY,)), "n3": view(HERE)}
    found = explain_lun(world(views, MIXED), "a")
    portals = [(check.node, check.text) for check in found.checks if check.topic is Topic.PORTAL]
    assert portals == [("n1", "10.0.0.1:3260"), ("n3", "10.0.0.3:3260"), ("n1", PORTAL)]
    assert found.is_well


def test_a_node_is_shown_with_its_groups() -> None:
    """With the portals of those that it owns; a node that could not own one has a problem."""
    views = {"n1": owner(HERE), "n2": view(floating=(UNFIT,)), "n3": view()}
    here = world(views, MIXED)
    found = {node: explain_node(here, node) for node in ("n1", "n2", "n3")}
    assert {node: each.targets[T] for node, each in found.items()} == {
        "n1": ("10.0.0.1:3260", PORTAL),
        "n2": (),
        "n3": ("10.0.0.3:3260",),
    }
    owner_of = f"floating group gold of {T}: owner n1"
    assert {node: each.checks[1:] for node, each in found.items()} == {
        "n1": (Check(Topic.OWNER, Verdict.OK, owner_of, "n1"),),
        "n2": (Check(Topic.OWNER, Verdict.NO, f"{owner_of} (n2 is not fit: luns/a: DeviceMissing)", "n2"),),
        "n3": (),
    }
    dead = explain_node(world({"n1": view(live=False)}, FLOATING), "n1")
    assert Topic.OWNER not in {check.topic for check in dead.checks}
    (none,) = explain_node(world({"n2": view(floating=(STANDBY,))}, FLOATING), "n2").checks[1:]
    assert none.text == f"floating group gold of {T}: owner none"


def test_a_group_that_can_move_loses_no_host() -> None:
    """A host behind it loses its Luns only if no other node could own the group."""
    fit, unfit = view(floating=(STANDBY,)), view(floating=(UNFIT,))
    assert explain_node(world({"n1": owner(HERE), "n2": fit}, FLOATING), "n1").losses == ()
    assert explain_node(world({"n1": owner(HERE), "n2": unfit}, FLOATING), "n1").losses == (Loss(H, ("a",)),)
