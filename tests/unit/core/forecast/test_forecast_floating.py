"""What a commit does to floating groups: at their owner, as their nodes report it."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import NodeState, Target
from lunmapd.core.forecast.node import HostForecast
from lunmapd.core.node.observed import Login
from support.floating_map import FLOATING, GOLD, LUN, MIXED, OWNER, STANDBY, H, T
from support.forecasts import forecast, view

HERE = Login(T, H)
VIEWS = {"n1": view(HERE, floating=(OWNER,)), "n2": view(floating=(STANDBY,)), "n3": view()}
UNMAPPED = replace(FLOATING, luns={"a": replace(LUN, maps=())})


def test_nothing_changes_without_a_change() -> None:
    """The owner stays the owner, and a standby node is as the map says without being enabled."""
    assert all(not node.steps for node in forecast(FLOATING, FLOATING, VIEWS).nodes)


def test_a_host_behind_a_group_loses_its_lun_at_the_owner() -> None:
    """The group is its one path; the standby node makes the same steps, and nobody is there."""
    one, two, three = forecast(FLOATING, UNMAPPED, VIEWS).nodes
    assert one.hosts == (HostForecast(H, "data-unreachable", ("a",)),)
    assert {step.object for step in one.steps} == {step.object for step in two.steps}
    assert (two.hosts, three.steps) == ((), ())


def test_a_removed_group_ends_the_sessions_of_its_owner() -> None:
    """Its TPG is disabled and removed on each node of the list."""
    without = replace(MIXED, targets={T: replace(MIXED.targets[T], floating={})})
    one, two, three = forecast(MIXED, without, VIEWS).nodes
    assert f"enabled {T} 1001" in {step.object for step in one.steps}
    assert f"enabled {T} 1001" not in {step.object for step in two.steps}
    assert [host.initiator for host in one.hosts] == [H]
    assert {step.object.split()[0] for step in three.steps} == {"portal", "acl", "tpg"}


def test_a_path_through_another_node_keeps_the_host() -> None:
    """A host that is logged in at another node of the group, or of the target, does not lose its data."""
    narrow = replace(MIXED, luns={"a": replace(LUN, nodes=("n2", "n3"))})
    for there in ("n2", "n3"):
        views = {**VIEWS, "n1": view(HERE, floating=(OWNER,)), there: view(HERE)}
        one = forecast(MIXED, narrow, views).nodes[0]
        assert one.hosts == (HostForecast(H, "session-drop"),)


def test_a_drained_owner_serves_until_its_lease_is_released() -> None:
    """The steps that drain a node are not those that move a group: its lease decides."""
    drained = replace(
        FLOATING, nodes={**FLOATING.nodes, "n1": replace(FLOATING.nodes["n1"], state=NodeState.DRAINED)}
    )
    steps = forecast(FLOATING, drained, VIEWS).nodes[0].steps
    assert [step.object for step in steps] == ["storage_object a"]


def test_a_node_with_unlisted_sessions_counts_all_hosts_of_the_group() -> None:
    """Each initiator with an ACL may be logged in there."""
    crowded = replace(VIEWS["n1"], status=view(floating=(OWNER,), sessions=500).status)
    one = forecast(FLOATING, UNMAPPED, {**VIEWS, "n1": crowded}).nodes[0]
    assert [host.initiator for host in one.hosts] == [H]
    idle = replace(VIEWS["n1"], status=view(floating=(STANDBY,), sessions=500).status)
    assert forecast(FLOATING, UNMAPPED, {**VIEWS, "n1": idle}).nodes[0].hosts == ()


def test_another_tag_is_another_tpg() -> None:
    """The lease of the old one does not enable the new one: the loop of the groups does that."""
    moved = {T: Target({}, floating={"gold": replace(GOLD, tpg_tag=1002)})}
    one = forecast(FLOATING, replace(FLOATING, targets=moved), VIEWS).nodes[0]
    steps = {(step.action, step.object) for step in one.steps}
    assert ("delete", f"enabled {T} 1001") in steps
    assert ("create", f"tpg {T} 1002") in steps
    assert ("create", f"enabled {T} 1002") not in steps
