"""What is promised and explained of a Lun that nodes take over from one another."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, GroupId
from lunmapd.core.explain.checks import Check, Topic, Verdict
from lunmapd.core.explain.host import explain_host
from lunmapd.core.explain.lun import explain_lun
from lunmapd.core.explain.node import explain_node
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.node.observed import Login
from lunmapd.core.probe.promise import promised_portals
from support.explaining import world
from support.forecasts import view
from support.small_map import drained
from support.takeover_map import GROUP, OWNER, STANDBY, TAKEN, TAKEOVER, THREE, UNFIT, H, T

HERE = Login(T, H)
OWNED, WAITING = view(HERE, floating=(OWNER,)), view(HERE, floating=(STANDBY,))


def alua(**views: NodeView) -> list[Check]:
    """Return the checks of the ALUA state, node by node."""
    return [each for each in explain_lun(world(views, THREE), "a").checks if each.topic is Topic.ALUA]


def test_the_owner_of_a_lun_is_named_where_another_path_is_closed() -> None:
    """With the reason why a node of the list could not own it; one outside the list needs none."""
    text = "standby: n1 owns takeover group n1,n2"
    assert alua(n1=OWNED, n2=view(floating=(UNFIT,)), n3=view()) == [
        Check(Topic.ALUA, Verdict.OK, "optimized", "n1"),
        Check(Topic.ALUA, Verdict.NO, f"{text} (n2 is not fit: luns/a: DeviceMissing)", "n2"),
        Check(Topic.ALUA, Verdict.OK, text, "n3", intended=True),
    ]
    (first, *_) = alua(n1=WAITING, n2=WAITING, n3=view())
    assert first == Check(
        Topic.ALUA,
        Verdict.NO,
        "standby: no node owns takeover group n1,n2",
        "n1",
        "lunmapctl float list",
        "lunmapctl float list",
    )


def test_a_closed_path_beside_an_owner_is_no_problem() -> None:
    """The host sees it as `standby`, and is well; without an owner it is not."""
    found = explain_host(world({"n1": OWNED, "n2": WAITING}, TAKEOVER), H)
    assert found.problems == ()
    (lun,) = found.luns
    assert [(path.node, path.word, path.verdict) for path in lun.paths] == [
        ("n1", "ok", Verdict.OK),
        ("n2", "standby", Verdict.OK),
    ]
    assert explain_lun(world({"n1": OWNED, "n2": WAITING}, TAKEOVER), "a").is_well
    nobody = explain_host(world({"n1": WAITING, "n2": WAITING}, TAKEOVER), H)
    assert {check.topic for check in nobody.problems} == {Topic.ALUA}


def test_an_open_path_beside_the_owner_is_ok() -> None:
    """With `others: non-optimized` hosts may use it."""
    lunmap = replace(TAKEOVER, luns={"a": replace(TAKEN, others=AluaState.NON_OPTIMIZED)})
    (lun,) = explain_host(world({"n1": OWNED, "n2": WAITING}, lunmap), H).luns
    assert [path.word for path in lun.paths] == ["ok", "ok"]


def test_a_node_is_shown_with_its_takeover_groups() -> None:
    """A node outside the list has none."""
    here = world({"n1": OWNED, "n2": WAITING, "n3": view()}, THREE)
    found = [[each.text for each in explain_node(here, node).checks[1:]] for node in ("n1", "n3")]
    assert found == [[f"takeover group n1,n2 of {T}: owner n1"], []]


@pytest.mark.parametrize(
    ("owners", "gone", "states"),
    [
        ({GROUP: "n1"}, (), ["optimized", "standby", "standby"]),
        ({GROUP: "n2"}, (), ["standby", "optimized", "standby"]),
        ({}, (), ["optimized", "standby", "standby"]),
        ({}, ("n1",), ["standby", "optimized", "standby"]),
        ({}, ("n1", "n2"), ["optimized", "standby", "standby"]),
    ],
)
def test_the_promise_follows_the_owner(
    owners: dict[GroupId, str], gone: tuple[str, ...], states: list[str]
) -> None:
    """Without one it is the first active node of the list."""
    found = promised_portals(drained(THREE, *gone), H, owners)
    assert [each.targets[T].luns[3].state for each in found] == states


def test_open_others_are_promised_as_the_map_says() -> None:
    """The preferred bit is never set: it would have to move with the owner."""
    lunmap = replace(TAKEOVER, luns={"a": replace(TAKEN, others=AluaState.NON_OPTIMIZED)})
    luns = [each.targets[T].luns[3] for each in promised_portals(lunmap, H, {GROUP: "n2"})]
    assert [(lun.state, lun.preferred, lun.is_open) for lun in luns] == [
        (AluaState.NON_OPTIMIZED, False, True),
        (AluaState.OPTIMIZED, False, True),
    ]
