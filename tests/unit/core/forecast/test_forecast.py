"""What the nodes would do after a commit, and to whom."""

from typing import Any

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import (
    Access,
    Authentication,
    Chap,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Target,
)
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import Condition, DecisionLimits, Failing, FormerOccupant, HistoryPoint
from lunmapd.core.forecast.fleet import LeavingNode, MovedAddress
from lunmapd.core.forecast.node import HostForecast
from lunmapd.core.history.changes import Allowance
from lunmapd.core.node.observed import Login
from support.agents import mapped_luns
from support.forecasts import HERE, LATER, NOW, REVISION, forecast, status, view
from support.small_map import LUN, MAP, H, T

G = "iqn.2026-01.org.example:g"
NONE = replace(MAP, luns={"a": replace(LUN, maps=())})
ALLOWED = Allowance("other-data", LATER, luns=("b",))
KEY = "v1:01234567:" + "A" * 40
OTHER_KEY = "v1:89abcdef:" + "A" * 40


def with_luns(**numbers: int) -> Lunmap:
    """Return the map with these Luns in place of its own, mapped under these numbers."""
    luns = {
        name: Lun(Block(f"/dev/{name}"), name * 32, maps=(Map(T, number, H),))
        for name, number in numbers.items()
    }
    return replace(MAP, luns=luns)


def test_a_host_that_loses_its_lun_everywhere_is_named() -> None:
    """An unmapping makes the data unreachable for who is logged in, on each node that has a session."""
    found = forecast(MAP, NONE, {"n1": view(HERE), "n2": view()})
    one, two = found.nodes
    assert one.hosts == (HostForecast(H, "data-unreachable", ("a",)),)
    assert [step.disruption for step in one.steps][:1] == ["data-unreachable"]
    assert two.hosts == ()
    assert [step.object for step in one.steps][-1] == "storage_object a"
    assert found.disturbed == (H,)
    assert found.worst is Disruption.DATA_UNREACHABLE
    assert found.is_noticed
    assert not found.holding


def test_a_new_lun_disturbs_nobody() -> None:
    """Who is logged in gets a unit attention, which does not count as a disturbance."""
    found = forecast(NONE, MAP, {"n1": view(HERE), "n2": view()})
    assert found.nodes[0].hosts == (HostForecast(H, "unit-attention", ("a",)),)
    assert found.disturbed == ()
    assert not found.is_noticed


def test_a_drain_drops_the_sessions_of_those_with_another_path() -> None:
    """Each host of a step has its own class: the one with a second path loses its session only."""
    luns = {"a": replace(LUN, maps=(Map(T, 3, H), Map(T, 4, G)))}
    before = replace(MAP, luns=luns, initiators={H: Initiator(), G: Initiator()})
    drained = replace(
        before, nodes={**before.nodes, "n1": Node(1, ("10.0.0.1:3260",), state=NodeState.DRAINED)}
    )
    both = Login(T, G)
    found = forecast(before, drained, {"n1": view(both, HERE), "n2": view(HERE)})
    assert found.nodes[0].hosts == (
        HostForecast(G, "data-unreachable"),
        HostForecast(H, "session-drop"),
    )


def test_a_node_with_a_lower_allow_holds_and_says_why() -> None:
    """What a node holds disturbs nobody; the reason is the one that the node will report."""
    found = forecast(MAP, NONE, {"n1": view(HERE, allow="none"), "n2": view()})
    (one, _) = found.nodes
    assert one.holds
    assert one.hosts == ()
    assert "lunmapctl override data-unreachable" in one.steps[0].held
    assert found.holding == ("n1",)
    assert found.is_noticed


def test_an_unknown_class_of_a_newer_node_allows_what_is_usual() -> None:
    """A node with a word in `allow` that this version lacks is taken for one with the default."""
    assert not forecast(MAP, NONE, {"n1": view(HERE, allow="much"), "n2": view()}).holding


def test_a_mass_removal_waits_for_a_confirmation() -> None:
    """The share is that of all LUNs of the node, and every step that waits has the reason."""
    many, fewer = mapped_luns(*range(20)), mapped_luns(*range(12))
    (made,) = forecast(many, fewer, {"n1": view(HERE)}).nodes
    assert made.mass_removal == "remove 8 of 20 mapped LUNs of this node"
    assert made.holds
    assert all("lunmapctl confirm" in step.held for step in made.steps)
    (less,) = forecast(many, mapped_luns(*range(16)), {"n1": view(HERE)}).nodes
    assert less.mass_removal == ""
    generous = DecisionLimits("data-unreachable", 1.0, 4)
    assert forecast(many, fewer, {"n1": view(HERE, limits=generous)}).nodes[0].mass_removal == ""


def test_a_node_without_a_name_in_the_new_map_goes_on_serving() -> None:
    """It does nothing, and the hosts that are logged in there are named."""
    gone = replace(MAP, nodes={"n1": MAP.nodes["n1"]}, targets={T: Target({"n1": PortalGroup(1)})})
    found = forecast(MAP, gone, {"n2": view(HERE)})
    assert found.leaving == (LeavingNode("n2", (H,)),)
    assert [node.node for node in found.nodes] == ["n1"]
    assert found.is_noticed
    assert forecast(MAP, gone, {}).leaving == (LeavingNode("n2"),)


def test_a_number_that_leads_elsewhere_is_named() -> None:
    """The Lun that it led to is that of the map, or one that nodes report as a former one."""
    found = forecast(with_luns(a=1), with_luns(b=1), {"n1": view(HERE), "n2": view()})
    assert found.addresses == (MovedAddress(T, H, 1, "a", "b"),)
    former = (FormerOccupant(T, H, 1, "c", "c" * 32, 2),)
    found = forecast(
        with_luns(a=2), with_luns(a=2, b=1), {"n1": view(HERE, former=former, former_count=1), "n2": view()}
    )
    assert found.addresses == (MovedAddress(T, H, 1, "c", "b"),)
    same = (FormerOccupant(T, H, 1, "b", with_luns(b=1).luns["b"].serial, 3),)
    views = {"n1": view(HERE, former=former), "n2": view(former=same)}
    found = forecast(with_luns(a=2), with_luns(a=2, b=1), views)
    assert found.addresses == (MovedAddress(T, H, 1, "c", "b"),)
    assert "other-data" in found.nodes[0].steps[-1].held
    assert forecast(with_luns(a=2), with_luns(a=2, b=1), {"n1": view(HERE), "n2": view()}).addresses == ()


def test_an_override_of_the_commit_lets_a_number_lead_elsewhere() -> None:
    """The former LUN is removed, and the number stays empty before the other Lun appears."""
    found = forecast(with_luns(a=1), with_luns(b=1), {"n1": view(HERE), "n2": view()}, ALLOWED)
    (one, two) = found.nodes
    assert [step.held for step in one.steps if step.object.startswith("mapped_lun")] == [
        "",
        "another Lun had this number: it stays empty for 30 s, so that hosts see it empty",
    ]
    assert one.hosts[0].disruption == "data-unreachable"
    assert "until the next pass" in two.steps[-1].held
    assert found.holding == ()


@pytest.mark.parametrize(
    "hosts",
    [
        {"holders": (HERE,), "holders_count": 1},
        {"holders": (Login(T, ""),), "holders_count": 1},
        {"holders_count": 300},
        {"former_since": None},
        {"limits": None},
        {"sessions": 300},
    ],
    ids=["listed", "any of the target", "too many", "no memory", "older version", "logins not listed"],
)
def test_a_host_that_may_have_a_device_keeps_its_number(hosts: dict[str, Any]) -> None:
    """A host that is not logged in may hold a device too: the node lists these, or all are assumed to."""
    made = forecast(with_luns(a=1), with_luns(b=1), {"n1": view(**hosts), "n2": view()}).nodes[0]
    assert any("other-data" in step.held for step in made.steps)


def test_without_a_list_of_logins_every_host_with_access_counts() -> None:
    """A node with too many sessions lists none; an older version reports no settings."""
    made = forecast(MAP, NONE, {"n1": view(sessions=300), "n2": view()}).nodes[0]
    assert made.hosts[0].initiator == H
    assert not made.logins_listed
    assert made.notes == ("its status does not list its 300 sessions: every host with access counts",)
    (note,) = forecast(MAP, NONE, {"n1": view(limits=None), "n2": view()}).nodes[0].notes
    assert note == "lunmapd 0.1.0 does not report its settings: those by default are assumed"
    (note,) = forecast(MAP, NONE, {"n1": view(former_count=201), "n2": view()}).nodes[0].notes
    assert "more former LUNs than its status lists" in note


@pytest.mark.parametrize(("features", "steps"), [(("rtpi",), 2), ((), 0)])
def test_a_port_id_matters_where_the_kernel_has_it(features: tuple[str, ...], steps: int) -> None:
    """The status tells whether the node's kernel can set it."""
    other = replace(MAP, targets={T: Target({"n1": PortalGroup(9), "n2": PortalGroup(7)})})
    assert len(forecast(MAP, other, {"n1": view(features=features), "n2": view()}).nodes[0].steps) == steps


def test_a_secret_that_the_node_can_not_open_fails_there() -> None:
    """The keys of a node are in its status; a node that never reported is assumed to have all."""
    with_chap = {
        key: replace(
            MAP,
            targets={T: replace(MAP.targets[T], authentication=Authentication.CHAP)},
            initiators={H: Initiator(chap=Chap("u", key))},
        )
        for key in (KEY, OTHER_KEY)
    }
    found = forecast(with_chap[KEY], with_chap[OTHER_KEY], {"n1": view(keys=("01234567",))})
    one, two = found.nodes
    assert one.steps == ()
    (failing,) = one.failing
    assert failing.startswith(f"acl {T} 1 {H}: SecretUndecodable: the secret is sealed with key 89abcdef")
    assert [step.action for step in two.steps] == ["update"]
    assert two.failing == ()
    assert found.is_noticed
    missing = forecast(NONE, with_chap[KEY], {"n1": view()}).nodes[0]
    assert len(missing.failing) == 1
    assert "waits for" not in missing.failing[0]


def test_a_node_that_is_not_converged_is_named_with_its_state() -> None:
    """Its steps are those of a converged one, with what that means."""
    held = Condition("Applied", status=False, reason="RemovalHeld", message="m", since=NOW)
    failing: dict[str, Any] = {"failing": (Failing("lun x", "Stuck", "m"),), "failing_count": 1}
    views = {
        "dead": view(live=False),
        "silent": view(silent=True),
        "behind": view(applied=HistoryPoint("c", REVISION - 1, "d")),
        "held": view(conditions=(held,)),
        "degraded": view(**failing),
        "absent": NodeView(),
        "pending": NodeView(live=True, status=status(observed=None, applied=None)),
        "converged": view(),
    }
    nodes = {name: Node(number, (f"10.0.0.{number}:3260",)) for number, name in enumerate(views, 1)}
    groups = {name: PortalGroup(number) for number, name in enumerate(views, 1)}
    before = replace(MAP, nodes=nodes, targets={T: Target(groups)})
    after = replace(before, luns={"a": replace(LUN, maps=(Map(T, 3, H, access=Access.READ_ONLY),))})
    found = {node.node: node for node in forecast(before, after, views).nodes}
    assert {len(node.steps) for node in found.values()} == {2}
    assert {name: node.detail for name, node in found.items()} == {
        "dead": "dead: these steps wait until the node is back",
        "silent": "silent: these steps wait until the daemon goes on",
        "behind": "behind: these steps come together with those not applied yet",
        "held": "held (Applied: RemovalHeld): the steps may differ from these",
        "degraded": "degraded (lun x: Stuck): the steps may differ from these",
        "absent": "absent, without a status: these steps wait until the first start",
        "pending": "behind: these steps come together with those not applied yet",
        "converged": "",
    }


def test_a_new_node_makes_everything() -> None:
    """A node that the map did not have begins with an empty LIO."""
    before = replace(MAP, nodes={"n1": MAP.nodes["n1"]}, targets={T: Target({"n1": PortalGroup(1)})})
    (_, two) = forecast(before, MAP, {"n1": view()}).nodes
    assert {step.action for step in two.steps} == {"create"}
    assert two.logins_at == ""
