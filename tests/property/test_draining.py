"""However hosts send commands, a drain ends in time, and before that only hosts that have left lose paths."""

from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.node.observed import AclLuns, HostCommands
from lunmapd.core.planning.draining import (
    DRAIN_WINDOW,
    MAX_CHECKS,
    PATIENCE,
    DrainProgress,
    busy_tpgs,
    follow_drain,
)

ENABLED = ("enabled", "t", 1)
HOSTS = tuple(AclLuns("t", 1, name, (0, 1)) for name in ("g", "h"))
LATE = 3
MOST_LOOKS = LATE + int(PATIENCE / DRAIN_WINDOW) + 2
sent = st.lists(st.integers(0, 3 * MAX_CHECKS), min_size=4, max_size=4)
looks = st.lists(st.tuples(sent, st.booleans()), min_size=MOST_LOOKS, max_size=MOST_LOOKS)
"""What a node finds at each look: new commands to each LUN of each host, and whether any is in flight."""


def count(totals: list[int], *, in_flight: bool) -> tuple[HostCommands, ...]:
    """Return the counts of both hosts; the second one has commands in flight, or neither."""
    luns = (totals[:2], totals[2:])
    return tuple(
        HostCommands(
            host.iqn,
            host.tag,
            host.initiator,
            tuple(zip(host.luns, counts, strict=True)),
            in_flight and host is HOSTS[1],
        )
        for host, counts in zip(HOSTS, luns, strict=True)
    )


@given(st.integers(0, LATE), looks)
def test_a_drain_ends_in_time(late: int, found: list[tuple[list[int], bool]]) -> None:
    """By the looks that it asks for it ends within its patience; earlier only when both hosts have left.

    `late` is the number of looks before the node reports the new states.
    """
    progress: DrainProgress | None = None
    now, totals, sent_since = 0.0, [7] * 4, [0] * 4
    for made, (more, in_flight) in enumerate(found):
        totals = [total + new for total, new in zip(totals, more, strict=True)]
        sent_since = (
            [0] * 4 if made <= late else [old + new for old, new in zip(sent_since, more, strict=True)]
        )
        progress = follow_drain(progress, count(totals, in_flight=in_flight), now, is_told=made >= late)
        if not busy_tpgs(progress, {ENABLED: HOSTS}, now):
            assert now >= PATIENCE or (made > late and not in_flight)
            assert now >= PATIENCE or (max(more) <= MAX_CHECKS and min(sent_since) > 0)
            return
        pause = progress.seconds_left(now)
        assert 0.0 < pause <= DRAIN_WINDOW
        now += pause
    raise AssertionError(f"still busy after {MOST_LOOKS} looks, at {now} s")
