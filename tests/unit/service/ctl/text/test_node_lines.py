"""The status line of a node: lag, silence and problems."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from lunmapd.client import (
    Fleet,
    FleetNode,
    Live,
    Lunmap,
    Node,
    NodeState,
    NodeStatus,
    Snapshot,
    UnappliedRevision,
)
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.service.ctl.text.node_lines import NodeLine, node_line, node_status_table, show_seconds
from lunmapd.store.tree.liveness import is_silent, seconds_since

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LIVE = Live("m", "b", "1", "2026-01-01T00:00:00Z")
STATUS = NodeStatus(
    "b",
    "1",
    "2026-01-01T23:59:30Z",
    HistoryPoint("c", 9, "d"),
    HistoryPoint("c", 7, "d"),
    failing_count=2,
    sessions=4,
    beat=60.0,
)
MISSED = {
    8: UnappliedRevision("2026-01-01T23:57:53Z", frozenset()),
    9: UnappliedRevision("2026-01-01T23:59:00Z", frozenset()),
}


def line(node: FleetNode, missed: dict[int, UnappliedRevision] | None = None, head: int = 9) -> NodeLine:
    """Return the status line of a node when the map is at revision 9."""
    snapshot = Snapshot("c", head, "d", "d", 1, Lunmap(nodes={"n1": Node(1)}))
    return node_line("n1", Fleet(snapshot, {"n1": node}, MISSED if missed is None else missed), NOW)


def test_a_node_that_lags_is_told_by_how_much_and_since_when() -> None:
    """In revisions, and in seconds since the first of them."""
    told = line(FleetNode(LIVE, STATUS))
    assert (told.behind, told.behind_since, told.lag) == (2, "2026-01-01T23:57:53Z", 127.0)
    assert node_status_table([told]).lines()[1].split() == [
        "n1", "alive", "degraded", "7", "9", "2", "2m07s", "4", "0", "2", "2026-01-01T00:00:00Z",
    ]  # fmt: skip


def test_a_node_that_is_not_behind_has_no_lag() -> None:
    """It is nought, not unknown."""
    told = line(FleetNode(LIVE, STATUS), {}, 7)
    assert (told.behind, told.behind_since, told.lag) == (0, "", 0.0)


@pytest.mark.parametrize(
    ("node", "behind"),
    [
        (FleetNode(LIVE, STATUS), 2),
        (FleetNode(), None),
        (FleetNode(LIVE, replace(STATUS, applied=None)), None),
    ],
)
def test_what_is_not_known_of_a_lag_is_a_dash(node: FleetNode, behind: int | None) -> None:
    """Revisions that were trimmed have no time any more, and who has applied nothing has no lag."""
    told = line(node, {})
    assert (told.behind, told.lag) == (behind, None)
    assert node_status_table([told]).lines()[1].split()[6] == "-"


def test_a_status_that_is_cut_says_so() -> None:
    """Failures that are not listed are counted."""
    assert line(FleetNode(LIVE, STATUS)).problems == ("2 more objects fail",)


def test_a_clock_that_is_ahead_makes_no_negative_time() -> None:
    """A text that is no time, or has no zone, causes no error, since ZooKeeper's data can be edited."""
    assert seconds_since("2026-01-02T00:00:05Z", NOW) == 0.0
    assert seconds_since("2026-01-01T00:00:00Z", NOW) == 86400.0
    assert [seconds_since(text, NOW) for text in ("", "soon", "2026-01-01T00:00:00")] == [None] * 3


def test_a_node_is_silent_after_three_beats() -> None:
    """One whose time can't be read is not accused of it, nor one that never promised to speak."""
    assert not is_silent(FleetNode(LIVE, STATUS), NOW)
    old = replace(STATUS, time="2026-01-01T23:56:59Z")
    assert is_silent(FleetNode(LIVE, old), NOW)
    for node in (FleetNode(None, old), FleetNode(LIVE, replace(old, beat=0.0)), FleetNode(LIVE)):
        assert not is_silent(node, NOW)
    assert not is_silent(FleetNode(LIVE, replace(old, time="soon")), NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0s"), (59, "59s"), (60, "1m00s"), (127, "2m07s"), (18120, "5h02m"), (273599, "3d03h")],
)
def test_a_time_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    """Without a space, so that columns stay columns."""
    assert show_seconds(seconds) == text


def test_a_drained_node_is_shown_as_such() -> None:
    """In the column of its state, as long as it lives."""
    drained = Lunmap(nodes={"n1": Node(1, state=NodeState.DRAINED)})
    for live, word in ((LIVE, "drained"), (None, "DEAD")):
        fleet = Fleet(Snapshot("c", 9, "d", "d", 1, drained), {"n1": FleetNode(live, STATUS)}, MISSED)
        assert node_status_table([node_line("n1", fleet, NOW)]).lines()[1].split()[1] == word


def test_a_node_outside_the_map_that_serves_is_a_problem() -> None:
    """Nobody controls its sessions; without any, there is nothing to say."""
    left = Fleet(Snapshot("c", 9, "d", "d", 1, Lunmap()), {"n1": FleetNode(LIVE, STATUS)}, MISSED)
    assert "still serves 4 sessions, under nobody's control" in node_line("n1", left, NOW).problems[0]
    idle = replace(left, nodes={"n1": FleetNode(LIVE, replace(STATUS, sessions=0))})
    assert not any("control" in problem for problem in node_line("n1", idle, NOW).problems)
