"""The groups of a map with their owners, as the nodes report them."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap, NodeState
from lunmapd.core.fleet.group_owners import OwnedGroup, find_owned_groups
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import GroupPhase, GroupStatus
from support import takeover_map
from support.floating_map import FLOATING, OWNER, PORTAL, STANDBY, T
from support.forecasts import view
from support.small_map import MAP, drained


def reporting(report: GroupStatus, *, live: bool = True, silent: bool = False) -> NodeView:
    """Return a node that reports a group."""
    return view(floating=(report,), live=live, silent=silent)


def group(lunmap: Lunmap = FLOATING, **views: NodeView) -> OwnedGroup:
    """Return the only group of a map."""
    (found,) = find_owned_groups(lunmap, views)
    return found


def test_a_group_has_its_owner_and_the_nodes_that_could_follow() -> None:
    """A node that is not fit is none of them; of a takeover group the nodes are the name."""
    served = group(n1=reporting(OWNER), n2=reporting(STANDBY))
    assert served == OwnedGroup(T, "gold", (PORTAL,), "n1", "ok", "10:00", ("n2",))
    assert group(n1=reporting(OWNER), n2=reporting(replace(STANDBY, fit=False))).standby == ()
    taken = group(takeover_map.TAKEOVER, n1=reporting(takeover_map.OWNER), n2=view())
    assert (taken.name, taken.portals, taken.owner, taken.standby) == ("n1,n2", (), "n1", ())


def test_a_map_without_groups_has_none() -> None:
    """Whatever nodes report."""
    assert find_owned_groups(MAP, {"n1": reporting(OWNER)}) == ()


@pytest.mark.parametrize(
    ("views", "reasons"),
    [
        ({}, "n1 is dead; n2 is dead"),
        ({"n1": reporting(OWNER, live=False), "n2": reporting(STANDBY)}, "n1 is dead; n2 could take it"),
        ({"n1": reporting(OWNER, silent=True), "n2": view()}, "n1 is silent; n2 does not report it"),
        (
            {"n2": reporting(replace(STANDBY, phase=GroupPhase.WAITING))},
            "n1 is dead; n2 waits for the end of the lease of n1",
        ),
        (
            {"n2": reporting(replace(STANDBY, phase=GroupPhase.WAITING, owner=""))},
            "n1 is dead; n2 is about to take it",
        ),
        (
            {
                "n1": reporting(replace(STANDBY, fit=False, reason="luns/a: DeviceMissing")),
                "n2": reporting(replace(STANDBY, phase=GroupPhase.IN_USE)),
            },
            "n1 is not fit: luns/a: DeviceMissing; n2 finds an address in use",
        ),
        ({"n2": reporting(replace(STANDBY, phase="resting"))}, "n1 is dead; n2 resting"),
    ],
)
def test_a_group_without_an_owner_has_a_reason_for_each_node(
    views: Mapping[str, NodeView], reasons: str
) -> None:
    """The reason is what the node reports, as long as it does; a newer version may have other phases."""
    found = group(FLOATING, **views)
    assert (found.owner, found.state, found.since) == ("", "no-owner", "")
    assert str(found) == f"floating group gold of {T} has no owner: {reasons}"


def test_drained_nodes_need_not_own_a_group() -> None:
    """A group whose nodes are all drained is drained; a drained owner has it until it has released it."""
    one = drained(FLOATING, "n1")
    assert group(one, n2=reporting(STANDBY)).reasons == ("n2 could take it",)
    assert group(one, n1=reporting(OWNER)).owner == "n1"
    assert group(one, n1=reporting(STANDBY), n2=reporting(replace(OWNER, owner="n2"))).standby == ()
    none = replace(
        FLOATING,
        nodes={name: replace(each, state=NodeState.DRAINED) for name, each in FLOATING.nodes.items()},
    )
    found = group(none, n1=reporting(STANDBY), n2=reporting(STANDBY))
    assert (found.state, found.standby, found.reasons) == ("drained", (), ())
