"""What a commit does to Luns that nodes take over from one another: their leases do what no step shows."""

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import AluaState, NodeState
from lunmapd.core.forecast.node import HostForecast
from lunmapd.core.node.observed import Login
from support.forecasts import forecast, view
from support.small_map import LUN, MAP
from support.takeover_map import OWNER, STANDBY, TAKEN, TAKEOVER, THREE, H, T

HERE = Login(T, H)
VIEWS = {"n1": view(HERE, floating=(OWNER,)), "n2": view(HERE, floating=(STANDBY,))}
NOTE = (
    "a: in the state of 'others' through this node unless it owns takeover group n1,n2; a new group has an owner "
    "after ten seconds"
)


def test_a_lun_that_joins_a_group_is_noted() -> None:
    """Its paths may be closed by the lease, and the nodes make no step for it."""
    found = forecast(MAP, TAKEOVER, VIEWS).nodes
    assert [(node.steps, node.notes) for node in found] == [((), (NOTE,)), ((), (NOTE,))]
    views = {**VIEWS, "n3": view()}
    shared = replace(THREE, luns={"a": LUN})
    assert [node.notes for node in forecast(shared, THREE, views).nodes] == [(NOTE,), (NOTE,), ()]


def test_a_change_within_a_group_is_not_noted() -> None:
    """The owner stays, and a new Lun has no hosts yet; a state that leases never give is a step."""
    unavailable = replace(TAKEOVER, luns={"a": replace(TAKEN, others=AluaState.UNAVAILABLE)})
    one, two = forecast(TAKEOVER, unavailable, VIEWS).nodes
    assert (one.notes, two.notes) == ((), ())
    assert [step.object for step in two.steps] == ["storage_object a"]
    new = forecast(replace(MAP, luns={}), TAKEOVER, VIEWS).nodes
    assert all(not node.notes for node in new)


def test_another_hook_is_noted_where_it_promotes() -> None:
    """No step shows it, and storage that the former hook has promoted stays so; other nodes have no note."""
    views, hooked = {**VIEWS, "n3": view()}, replace(TAKEN, hook="drbd", backing=Block("/dev/mapper/drbd-r0"))
    led = replace(THREE, luns={"a": replace(hooked, size=None, nodes=("n1", "n2"))})
    other = replace(led, luns={"a": replace(led.luns["a"], hook="zfs")})
    promotes = "a: /etc/lunmapd/hooks.d/zfs promotes the storage while this node owns the group"
    stays = "a: if hook drbd has promoted the storage here, it stays so: run its 'demote' by hand"
    one, two, three = forecast(led, other, views).nodes
    assert (one.notes, two.notes, three.notes) == ((promotes, stays), (promotes, stays), ())
    assert [node.notes for node in forecast(led, led, views).nodes] == [(), (), ()]


def test_a_host_that_is_logged_in_at_the_other_node_keeps_a_drained_lun() -> None:
    """The other node takes the Lun over, so a drain of the owner ends sessions alone."""
    drained = replace(
        TAKEOVER, nodes={**TAKEOVER.nodes, "n1": replace(TAKEOVER.nodes["n1"], state=NodeState.DRAINED)}
    )
    one = forecast(TAKEOVER, drained, VIEWS).nodes[0]
    assert [host.disruption for host in one.hosts] == ["session-drop"]
    alone = forecast(TAKEOVER, drained, {**VIEWS, "n2": view(floating=(STANDBY,))}).nodes[0]
    assert [host.disruption for host in alone.hosts] == ["data-unreachable"]


def test_the_end_of_a_list_is_a_step_where_its_owner_changes() -> None:
    """The nodes are assumed to have the states of their leases: one opens a path, one closes it."""
    one = replace(TAKEOVER, luns={"a": replace(TAKEN, preferred="n1")})
    two = replace(TAKEOVER, luns={"a": replace(TAKEN, preferred="n2")})
    assert [node.hosts for node in forecast(TAKEOVER, one, VIEWS).nodes] == [
        (HostForecast(H, "unit-attention", ("a",)),),
        (),
    ]
    closing, opening = forecast(TAKEOVER, two, VIEWS).nodes
    assert [step.reason for step in closing.steps] == ["alua optimized, as group 1 -> standby, as group 1"]
    assert len(opening.steps) == 1
