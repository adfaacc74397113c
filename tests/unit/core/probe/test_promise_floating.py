"""What the map promises of floating groups."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, GroupId, Lunmap, NodeState
from lunmapd.core.probe.promise import PromisedPortal, promised_portals
from support.floating_map import FLOATING, LUN, MIXED, PORTAL, H, T

GOLD = GroupId(T, "gold")
LISTED = {T: {"10.0.0.1:3260,1", "10.0.0.3:3260,3", f"{PORTAL},1001"}}


def promised(lunmap: Lunmap, owner: str = "") -> PromisedPortal:
    """Return what is promised of the group's portal."""
    (found,) = (
        each for each in promised_portals(lunmap, H, {GOLD: owner} if owner else {}) if each.portal == PORTAL
    )
    return found


def test_the_owner_promises_the_portals_of_its_groups() -> None:
    """They lead to the target alone; discovery there and at each other node lists them with their tag."""
    found = promised(MIXED, "n2")
    assert (found.node, found.active, found.listed) == ("n2", True, LISTED)
    (lun,) = found.targets[T].luns.values()
    assert (lun.lun, lun.number, lun.group, lun.state, lun.preferred) == (
        "a", 3, 0, AluaState.OPTIMIZED, False,
    )  # fmt: skip
    others = [each for each in promised_portals(MIXED, H) if each.portal != PORTAL]
    assert [(each.node, set(each.targets), each.listed) for each in others] == [
        ("n1", {T}, LISTED),
        ("n3", {T}, LISTED),
    ]


def test_a_node_that_only_floats_promises_no_portal_of_its_own() -> None:
    """Nothing listens there: no TPG has them. A node that serves nothing at all is asked as before."""
    assert [(each.node, each.portal) for each in promised_portals(FLOATING, H)] == [
        ("n3", "10.0.0.3:3260"),
        ("n1", PORTAL),
    ]


def test_without_an_owner_the_first_active_node_counts() -> None:
    """Nobody can log in while all nodes of the list are drained."""
    drained = {name: replace(node, state=NodeState.DRAINED) for name, node in FLOATING.nodes.items()}
    assert promised(FLOATING).node == "n1"
    first = promised(replace(FLOATING, nodes={**drained, "n2": FLOATING.nodes["n2"]}))
    assert (first.node, first.active) == ("n2", True)
    none = promised(replace(FLOATING, nodes=drained))
    assert (none.node, none.active) == ("n1", False)


def test_a_group_of_nodes_that_the_map_lacks_promises_nothing() -> None:
    """Only an edit outside lunmapd can leave that."""
    assert PORTAL not in {each.portal for each in promised_portals(replace(FLOATING, nodes={}), H)}


def test_a_closed_lun_keeps_the_group_of_its_node() -> None:
    """A node on which the Lun accepts no I/O promises its own state through the group, too."""
    for others, expected in (
        (AluaState.STANDBY, (2, AluaState.STANDBY)),
        (AluaState.NON_OPTIMIZED, (0, AluaState.OPTIMIZED)),
    ):
        lunmap = replace(FLOATING, luns={"a": replace(LUN, preferred="n1", others=others)})
        (lun,) = promised(lunmap, "n2").targets[T].luns.values()
        assert (lun.group, lun.state) == expected


def test_an_initiator_without_luns_is_promised_the_portal_only() -> None:
    """As with the nodes' own portals."""
    found = [
        each for each in promised_portals(FLOATING, "iqn.2026-01.org.example:x") if each.portal == PORTAL
    ]
    assert [(each.targets, each.listed) for each in found] == [({}, {})]
