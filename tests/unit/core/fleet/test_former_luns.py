"""Whether the nodes know that no host still has the device of a former Lun."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.former_luns import doubt_of
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import (
    STORE,
    FormerOccupant,
    HistoryPoint,
    NodeStatus,
    false_condition,
    update_condition,
)
from lunmapd.core.map.addresses import LunAddress, Occupant
from lunmapd.core.map.reuse import ReusedAddress
from lunmapd.core.map.used_numbers import FormerUse

T, H = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h"
LEFT = ReusedAddress(LunAddress(T, H, 3), Occupant("b", "2"), FormerUse(3, "a", "1", 7), 7, 7)
GOOD = NodeStatus("", "", "", observed=HistoryPoint("c", 9, "d"), former_since=4)
ELSEWHERE = FormerOccupant(T, H, 4, "a", "1", 7)


def view(status: NodeStatus | None = GOOD, *, live: bool = True, silent: bool = False) -> NodeView:
    """Return a node as other machines see it."""
    return NodeView(live, silent, status)


def lost(status: NodeStatus) -> NodeStatus:
    """Return the status of a node that does not follow the tree."""
    condition = update_condition((), false_condition(STORE, Reason.RESTORED, ""), "")
    return replace(status, conditions=condition)


@pytest.mark.parametrize(
    "status",
    [
        GOOD,
        replace(GOOD, former=(ELSEWHERE,), former_count=1),
        replace(GOOD, former=(replace(ELSEWHERE, lun=3, serial="2"),), former_count=1),
        replace(GOOD, observed=HistoryPoint("c", 7, "d"), former_since=6),
    ],
    ids=["no former LUN", "another number", "the Lun itself", "just in time"],
)
def test_nodes_that_know_better_leave_no_doubt(status: NodeStatus) -> None:
    """A node that followed the number since before it was left, and has no host for it, settles it."""
    assert doubt_of(LEFT, ("n2", "n1"), {"n1": view(), "n2": view(status)}, "c", 9) == ""


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        (view(live=False), "node n1 is dead, so it can't report whether the host still has that device"),
        (view(silent=True), "node n1 is silent, so it can't report whether the host still has that device"),
        (view(None), "node n1 is silent, so it can't report whether the host still has that device"),
        (view(replace(GOOD, observed=None)), "node n1 has not read revision 7 of this map yet"),
        (view(replace(GOOD, observed=HistoryPoint("c", 6, "d"))), "node n1 has not read revision 7 of this map yet"),
        (view(replace(GOOD, observed=HistoryPoint("x", 9, "d"))), "node n1 has not read revision 7 of this map yet"),
        (view(replace(GOOD, observed=HistoryPoint("c", 10, "d"))), "node n1 has not read revision 7 of this map yet"),
        (view(lost(GOOD)), "node n1 has not read revision 7 of this map yet"),
        (view(replace(GOOD, former_since=None)), "node n1 remembers no former LUNs"),
        (view(replace(GOOD, former_since=7)), "node n1 remembers former LUNs only since revision 7"),
        (view(replace(GOOD, former_count=201)), "node n1 has more former LUNs than its status lists"),
        (
            view(replace(GOOD, former=(ELSEWHERE, replace(ELSEWHERE, lun=3)), former_count=2)),
            "node n1 reports that the host may still have that device",
        ),
    ],
)  # fmt: skip
def test_a_node_that_does_not_know_leaves_a_doubt(seen: NodeView, doubt: str) -> None:
    """Each way in which one node can't tell is named; another node that knows does not help."""
    assert doubt_of(LEFT, ("n1", "n2"), {"n1": seen, "n2": view()}, "c", 9) == doubt


def test_a_node_that_never_registered_leaves_a_doubt() -> None:
    """A node without any znode is dead, and a target without nodes has nobody to ask."""
    assert doubt_of(LEFT, ("n9",), {}, "c", 9).startswith("node n9 is dead")
    assert doubt_of(LEFT, (), {}, "c", 9).startswith("no node serves the target")


def test_a_number_that_is_only_known_to_be_used_needs_a_whole_memory() -> None:
    """Without the revision that left the number, a node must have followed the map from its beginning."""
    unnamed = replace(LEFT, former=None, oldest=1, newest=9)
    assert doubt_of(unnamed, ("n1",), {"n1": view()}, "c", 9) == (
        "node n1 remembers former LUNs only since revision 4"
    )
    assert doubt_of(unnamed, ("n1",), {"n1": view(replace(GOOD, former_since=0))}, "c", 9) == ""
