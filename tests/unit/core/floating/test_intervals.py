"""The checker of intervals: what counts as an overlap and as a gap."""

from support.intervals import Overlap, find_overlaps, longest_gap


def test_each_overlap_of_two_nodes_is_found() -> None:
    """An overlap names both nodes and its times, also where a short interval lies in a long one."""
    intervals = {"n1": [(0.0, 10.0), (20.0, 21.0)], "n2": [(2.0, 3.0), (9.5, 12.0)], "n3": [(11.0, 20.5)]}
    assert find_overlaps(intervals) == [
        Overlap("n1", "n2", 2.0, 3.0),
        Overlap("n1", "n2", 9.5, 10.0),
        Overlap("n2", "n3", 11.0, 12.0),
        Overlap("n3", "n1", 20.0, 20.5),
    ]


def test_a_move_without_a_pause_is_no_overlap() -> None:
    """Intervals that only touch don't overlap, and a node does not overlap with itself."""
    assert find_overlaps({"n1": [(0.0, 5.0), (4.0, 6.0)], "n2": [(6.0, 7.0)]}) == []


def test_the_longest_gap_is_between_two_times() -> None:
    """Gaps at both ends count; no interval at all is one gap."""
    intervals = {"n1": [(1.0, 3.0)], "n2": [(5.0, 6.0), (5.5, 9.0)]}
    assert longest_gap(intervals, 0.0, 10.0) == 2.0
    assert longest_gap(intervals, 2.0, 8.0) == 2.0
    assert longest_gap({}, 0.0, 10.0) == 10.0
    assert longest_gap({"n1": [(0.0, 10.0)]}, 2.0, 8.0) == 0.0
