"""What a node still does or waits for while it is drained."""

import pytest
from msgspec.structs import replace

from lunmapd.client.drain import held_elsewhere, next_step
from lunmapd.client.fleet import Fleet
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.fleet.status import APPLIED, Condition, Failing, HistoryPoint, Live, NodeStatus
from lunmapd.store.tree.members import FleetNode
from lunmapd.store.tree.snapshot import Snapshot
from support.small_map import MAP, T, drained

LIVE = Live("machine", "boot", "1.0", "2026-01-01T00:00:00Z")
IDLE = NodeStatus("boot", "1.0", "2026-01-01T00:00:00Z", applied=HistoryPoint("c", 2, "d"))


def seen(lunmap: Lunmap) -> Fleet:
    """Return the nodes while n1 has applied the newest map and no host is logged in."""
    return Fleet(Snapshot("c", 2, "d", "d", 0, lunmap), {"n1": FleetNode(LIVE, IDLE)})


def test_a_drained_node_without_sessions_is_ready() -> None:
    """It has applied the map that drains it."""
    assert next_step(seen(drained(MAP, "n1")), "n1", 2) == ""


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        (Failing("storage_object a", "BackingDeviceMissing", "gone", "a"), ""),
        (Failing(f"enabled {T} 1", "KernelRefused", "no"), "n1 has not applied revision 2 yet"),
    ],
)
def test_a_lun_that_fails_does_not_keep_a_node_from_its_drain(failing: Failing, step: str) -> None:
    """A TPG that it can't disable does."""
    at = HistoryPoint("c", 2, "d")
    condition = Condition(APPLIED, status=False, reason="Failing", message="", since="")
    status = replace(
        IDLE, observed=at, applied=None, conditions=(condition,), failing=(failing,), failing_count=1
    )
    fleet = Fleet(seen(drained(MAP, "n1")).snapshot, {"n1": FleetNode(LIVE, status)})
    assert next_step(fleet, "n1", 2) == step


def test_a_node_that_serves_again_is_not_drained() -> None:
    """An admin or the end of a rollout has taken the drain back; that nobody is logged in proves nothing."""
    assert next_step(seen(MAP), "n1", 2) == "the newest map does not drain n1 any more"


def test_other_nodes_that_hold_removals_are_named() -> None:
    """A confirmation is up to a revision of the whole map: it lets them go on, too."""
    held = replace(
        IDLE, conditions=(Condition(APPLIED, status=False, reason="RemovalHeld", message="", since=""),)
    )
    fleet = Fleet(seen(MAP).snapshot, {"n1": FleetNode(LIVE, held), "n2": FleetNode(LIVE, held)})
    assert held_elsewhere(fleet, "n1") == ("n2",)
    assert held_elsewhere(seen(MAP), "n2") == ()
