"""Checks recorded intervals in which nodes had an address, by one clock."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Overlap(NamedTuple):
    """Two nodes that had the address at the same time, from `start` to `end`."""

    one: str
    other: str
    start: float
    end: float


Intervals = Mapping[str, Sequence[tuple[float, float]]]
"""Node to the times from which and until which it had the address."""


def find_overlaps(intervals: Intervals) -> list[Overlap]:
    """Return the overlaps of intervals of different nodes; intervals that only touch don't overlap."""
    ordered = sorted((start, end, node) for node, own in intervals.items() for start, end in own)
    latest: dict[str, float] = {}
    found: list[Overlap] = []
    for start, end, node in ordered:
        others = ((other, until) for other, until in latest.items() if other != node and until > start)
        found += [Overlap(other, node, start, min(end, until)) for other, until in others]
        latest[node] = max(end, latest.get(node, end))
    return found


def longest_gap(intervals: Intervals, start: float, end: float) -> float:
    """Return the longest time between `start` and `end` in which no node had the address."""
    covered, gaps = start, [0.0]
    for first, last in sorted(interval for own in intervals.values() for interval in own):
        gaps.append(min(first, end) - covered)
        covered = max(covered, min(last, end))
    gaps.append(end - covered)
    return max(gaps)
