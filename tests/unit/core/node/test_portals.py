"""The portals through which a node serves, and the problems of their addresses."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Initiator, Lunmap, Node, NodeState, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.portals import Interface, address_problem, portal_failures, serving_portals
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.decide import PassInput, compare
from lunmapd.core.secrets.sealing import Vault

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
OWN, SECOND, OTHER = "10.0.0.1:3260", "[fd00::1]:3260", "10.0.0.2:3260"
MAP = Lunmap(
    targets={
        T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)}),
        U: Target({"n1": PortalGroup(3, (OWN,))}),
    },
    initiators={"iqn.2026-01.org.example:h": Initiator()},
    nodes={"n1": Node(1, (OWN,), (SECOND,)), "n2": Node(2, (OTHER,))},
)
REFUSED = Failure(Reason.PORTAL_REFUSED, "refused")
UP, DOWN = Interface("eth0", running=True), Interface("eth1", running=False)


def observed(lunmap: Lunmap = MAP) -> lio_objects.Objects:
    """Return the objects of n1 as the map asks for them."""
    return dict(project_map(lunmap, "n1", {PORT_ID}))


def test_a_node_serves_through_its_own_portals() -> None:
    """Those on which it only listens so that discovery reports other nodes are left out."""
    assert serving_portals(observed()) == {OWN, SECOND}
    assert serving_portals({}) == frozenset()


def test_a_portal_without_an_enabled_tpg_serves_nobody() -> None:
    """That of a drained node, or one that is still to be made, has no problem."""
    drained = replace(MAP, nodes={**MAP.nodes, "n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)})
    assert serving_portals(observed(drained)) == frozenset()
    made = {key: item for key, item in observed().items() if key != ("portal", T, 1, SECOND)}
    assert serving_portals(made) == {OWN}


def test_a_portal_serves_though_no_map_has_it_any_more() -> None:
    """While the map's removals are held, or its edit of a target is refused, hosts use what is observed."""
    given = PassInput("n1", 1, replace(MAP, targets={}), {}, Vault("c"), portals={OWN: REFUSED})
    comparison = compare(given, Observed(observed(), features=frozenset({PORT_ID})))
    assert comparison.desire.failures == {("portal", OWN): REFUSED}


def test_a_problem_is_one_failing_object_for_all_targets() -> None:
    """It is named by the portal; problems of portals that serve nobody are no failures."""
    assert portal_failures({OWN: REFUSED, OTHER: REFUSED}, {OWN, SECOND}) == {("portal", OWN): REFUSED}


def test_a_pass_reports_the_problems_of_portals() -> None:
    """They are failures of the pass, and change no step."""
    given = PassInput("n1", 1, MAP, {}, Vault("c"), portals={OWN: REFUSED, OTHER: REFUSED})
    comparison = compare(given, Observed(observed(), features=frozenset({PORT_ID})))
    assert comparison.desire.failures == {("portal", OWN): REFUSED}
    assert comparison.steps == ()


@pytest.mark.parametrize(
    ("portal", "words"),
    [
        (OWN, None),
        ("0.0.0.0:3260", None),
        ("[::]:3260", None),
        ("10.0.0.9:3260", "no interface of this node has 10.0.0.9"),
        (SECOND, "interface eth1, which has fd00::1, is down or has no link"),
        ("10.0.0.3:3260", None),
        ("10.0.0.4:3260", None),
    ],
)
def test_an_address_needs_an_interface_with_a_link(portal: str, words: str | None) -> None:
    """One interface with a link is enough, and an address that is local by a route needs none."""
    interfaces = {"10.0.0.1": (UP,), "fd00::1": (DOWN,), "10.0.0.3": (DOWN, UP), "10.0.0.4": ()}
    problem = address_problem(portal, interfaces)
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert (problem.reason, words in problem.message) == (Reason.PORTAL_ADDRESS_MISSING, True)
