"""The states of paths, from the status of their node."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Group, Initiator, Lun, Lunmap, Map, Node, NodeState, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import RecentHistory, UnappliedRevision
from lunmapd.core.fleet.path_state import NodeView, PathState, path_state_of, scopes_of
from lunmapd.core.fleet.status import (
    APPLIED,
    OFFERED,
    STORE,
    Condition,
    Failing,
    HistoryPoint,
    NodeStatus,
    describe_failures,
    false_condition,
    lun_in_key,
    true_condition,
    update_condition,
)
from lunmapd.core.node.failure import Failure

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
H, G = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:g"
MAP = Lunmap(
    {
        "a": Lun(Block("/dev/a"), maps=(Map(T, 0, H),)),
        "b": Lun(Block("/dev/b"), maps=(Map(U, 0, group="both"),)),
    },
    {T: Target({"n1": PortalGroup(1)}), U: Target({"n1": PortalGroup(2)})},
    {H: Initiator(), G: Initiator()},
    {"both": Group((H, G))},
    {"n1": Node(7, ("10.0.0.1:3260",))},
)
RECENT = RecentHistory(
    "c", 9, "d", {8: UnappliedRevision("", {"luns/a"}), 9: UnappliedRevision("", {f"targets/{U}"})}
)


def status(
    applied: int | None = 9,
    observed: int = 9,
    failing: tuple[str, ...] = (),
    *,
    trouble: Mapping[str, str] | None = None,
    count: int | None = None,
) -> NodeStatus:
    """Return a status in which each of the objects fails for the reason Why."""
    conditions: tuple[Condition, ...] = update_condition((), true_condition(APPLIED, Reason.SEEN, ""), "")
    for kind, reason in (trouble or {}).items():
        conditions = update_condition(conditions, false_condition(kind, Reason(reason), ""), "")
    listed = tuple(Failing(name, "Why", "") for name in failing)
    point = None if applied is None else HistoryPoint("c", applied, "d")
    total = len(listed) if count is None else count
    return NodeStatus(
        "boot",
        "1",
        "",
        HistoryPoint("c", observed, "d"),
        point,
        conditions,
        failing=listed,
        failing_count=total,
    )


def states(said: NodeView, lunmap: Lunmap = MAP, recent: RecentHistory = RECENT) -> list[str]:
    """Return the states of the paths of both Luns."""
    found = path_state_of(lunmap, "n1", said, recent)
    return [found.state(scopes_of(lunmap, name, lun)) for name, lun in lunmap.luns.items()]


def told(found: NodeStatus, recent: RecentHistory = RECENT) -> list[str]:
    """Return the states for a live node with this status."""
    return states(NodeView(live=True, status=found), recent=recent)


def test_a_node_that_has_applied_the_newest_revision_is_believed() -> None:
    """Both paths are usable."""
    assert told(status()) == ["ok", "ok"]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (NodeView(), "dead"),
        (NodeView(status=status()), "dead"),
        (NodeView(live=True, silent=True, status=status()), "silent"),
        (NodeView(live=True), "unknown"),
    ],
)
def test_who_does_not_speak_now_is_not_believed(said: NodeView, word: str) -> None:
    """The status of a dead or silent node doesn't count, and no status is no good sign."""
    assert states(said) == [word, word]


def test_a_drained_node_is_drained_whatever_it_says() -> None:
    """It offers no paths, as the map wants it."""
    drained = replace(MAP, nodes={"n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)})
    assert states(NodeView(live=True, status=status()), drained) == ["drained", "drained"]
    assert states(NodeView(), drained) == ["drained", "drained"]


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        ({OFFERED: "Isolated", APPLIED: "Withheld"}, "Isolated"),
        ({APPLIED: "Withheld"}, "Withheld"),
        ({APPLIED: "KernelUnreadable"}, "KernelUnreadable"),
        ({APPLIED: "NoMap"}, "NoMap"),
    ],
)
def test_a_node_that_offers_nothing_or_knows_nothing_has_no_path(
    trouble: Mapping[str, str], word: str
) -> None:
    """The reason is that of its condition."""
    assert told(status(trouble=trouble)) == [word, word]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("storage_object a", ["Why", "ok"]),
        (f"lun {U} 7 b", ["ok", "Why"]),
        ("document luns/b", ["ok", "Why"]),
        (f"document targets/{T}", ["Why", "ok"]),
        ("document groups/both", ["ok", "Why"]),
        ("document nodes/n1", ["Why", "Why"]),
        (f"document initiators/{H}", ["ok", "ok"]),
        (f"target {T}", ["Why", "ok"]),
        (f"tpg {T} 7", ["Why", "ok"]),
        (f"enabled {U} 7", ["ok", "Why"]),
        (f"portal {U} 7 10.0.0.1:3260", ["ok", "Why"]),
        (f"portal {U} 8 10.0.0.2:3260", ["ok", "ok"]),
        (f"acl {U} 7 {G}", ["ok", "Why"]),
        (f"acl {T} 7 {G}", ["ok", "ok"]),
        (f"acl {T} 8 {H}", ["ok", "ok"]),
        ("discovery_auth", ["ok", "ok"]),
        ("leftover core/iblock_3", ["ok", "ok"]),
    ],
)
def test_what_fails_costs_the_luns_that_stand_on_it(failing: str, expected: list[str]) -> None:
    """An object concerns no Lun, some, or all of the node; objects for other nodes concern none."""
    assert told(status(7, 9, (failing,), trouble={APPLIED: "Failing"})) == expected


def test_a_held_change_leaves_the_path_as_it_was() -> None:
    """It counts and is marked; a Lun of which something else fails has that reason."""
    held = Failing(f"mapped_lun {T} 7 {H} 0", "Held", "", "a", kept=True)
    other = Failing(f"mapped_lun {T} 7 {G} 0", "Held", "", "a")
    concerned = scopes_of(MAP, "a", MAP.luns["a"])
    for failing, state in (((held,), "ok"), ((held, other), "Held")):
        said = replace(status(trouble={APPLIED: "Held"}), failing=failing, failing_count=len(failing))
        found = path_state_of(MAP, "n1", NodeView(live=True, status=said), RECENT)
        assert (found.state(concerned), found.is_change_held(concerned)) == (state, state == "ok")
        assert not found.is_change_held(scopes_of(MAP, "b", MAP.luns["b"]))


def test_a_failing_object_names_its_lun() -> None:
    """An object without a Lun's name has the Lun in a field, and the first of several failures is shown."""
    listed = (
        Failing(f"mapped_lun {T} 7 {H} 0", "First", "", "a"),
        Failing("storage_object a", "Second", "", "a"),
    )
    assert told(replace(status(), failing=listed, failing_count=2)) == ["First", "ok"]


def test_a_list_that_is_cut_leaves_the_others_unknown() -> None:
    """Luns that are not on a truncated list may fail too."""
    assert told(status(failing=("storage_object a",), count=2)) == ["Why", "unknown"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status(7, 7), ["behind", "behind"]),
        (status(8, 8), ["ok", "behind"]),
        (status(8, 9, trouble={APPLIED: "RemovalHeld"}), ["ok", "behind"]),
        (status(8, 9, trouble={APPLIED: "Remaining"}), ["ok", "behind"]),
        (status(7, 8, ("discovery_auth",), trouble={APPLIED: "Failing"}), ["ok", "behind"]),
        (status(7, 9, ("discovery_auth",), trouble={APPLIED: "Held"}), ["ok", "ok"]),
        (status(7, 9, ("discovery_auth",), trouble={APPLIED: "Drifted"}), ["ok", "ok"]),
        (status(7, 9, (f"target {T}2",), trouble={APPLIED: "ClaimsUnwritable"}), ["ok", "ok"]),
        (status(7, 9, (f"target {U}",), trouble={APPLIED: "ClaimsUnreadable"}), ["ok", "Why"]),
        (status(6, 6), ["behind", "behind"]),
        (status(None, 9, trouble={APPLIED: "RemovalHeld"}), ["behind", "behind"]),
        (status(10, 10), ["behind", "behind"]),
        (status(8, 8, trouble={STORE: "Restored"}), ["behind", "behind"]),
        (replace(status(9, 9), applied=HistoryPoint("c", 9, "other")), ["behind", "behind"]),
    ],
)
def test_a_node_that_is_behind_has_what_did_not_change(found: NodeStatus, expected: list[str]) -> None:
    """Only objects that newer revisions changed are unknown, from the last pass that listed its failures."""
    assert told(found) == expected


def test_a_node_whose_own_document_changed_is_behind_in_all() -> None:
    """Its portals or its tag may be others now."""
    recent = RecentHistory("c", 9, "d", {9: UnappliedRevision("", {"nodes/n1"})})
    assert told(status(8, 8), recent) == ["behind", "behind"]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        (("portal 10.0.0.1:3260",), ["degraded", "degraded"]),
        (("portal 10.0.0.1:3260", "portal [fd00::1]:3260"), ["Why", "Why"]),
        ((f"portal {T} 7 10.0.0.1:3260",), ["degraded", "ok"]),
        ((f"portal {T} 7 10.0.0.1:3260", "portal [fd00::1]:3260"), ["Why", "degraded"]),
        ((f"portal {T} 8 10.0.0.1:3260", f"portal {T} 7 10.0.0.9:3260"), ["ok", "ok"]),
        (("portal 10.0.0.1:3260", "storage_object a"), ["Why", "degraded"]),
    ],
)
def test_one_portal_that_serves_is_enough(failing: tuple[str, ...], expected: list[str]) -> None:
    """A path is lost with the last of its target's portals only; before that it is usable and degraded."""
    lunmap = replace(MAP, nodes={"n1": Node(7, ("10.0.0.1:3260",), ("[fd00::1]:3260",))})
    node = NodeView(live=True, status=status(7, 9, failing, trouble={APPLIED: "Failing"}))
    assert states(node, lunmap) == expected


def test_portals_of_a_node_that_the_map_does_not_have_cost_nothing() -> None:
    """Which targets they serve is not known."""
    node = NodeView(live=True, status=status(9, 9, ("portal 10.0.0.1:3260",)))
    assert states(node, replace(MAP, nodes={})) == ["ok", "ok"]


def test_a_node_that_the_map_does_not_have_is_taken_by_its_words() -> None:
    """A node without a readable document has its status, or lives on its former document."""
    without = replace(MAP, nodes={})
    assert states(NodeView(live=True, status=status()), without) == ["ok", "ok"]
    assert (
        states(NodeView(live=True, status=status(trouble={APPLIED: "NodeUnknown"})), without)
        == ["NodeUnknown"] * 2
    )


def test_a_witness_of_nothing_bad_is_a_good_one() -> None:
    """Without anything else known, a path is usable."""
    assert PathState().state(set()) == "ok"


@pytest.mark.parametrize(
    ("key", "lun"),
    [
        (("storage_object", "a"), "a"),
        (("lun", T, 1, "a"), "a"),
        (("document", "luns/a"), "a"),
        (("document", "groups/a"), ""),
        (("mapped_lun", T, 1, H, 0), ""),
    ],
)
def test_a_failing_object_without_a_step_has_its_lun(key: tuple[str | int, ...], lun: str) -> None:
    """A missing document or device is no step of a plan, and its Lun is reported all the same."""
    assert lun_in_key(key) == lun
    (listed,) = describe_failures({key: Failure(Reason.IN_USE, "")}, {})
    assert listed.lun == lun
