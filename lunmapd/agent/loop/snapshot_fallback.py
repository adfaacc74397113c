"""Whether the local snapshot replaces the map while the tree can't be read, as the condition MapFresh.

Pure.
"""

from datetime import UTC, datetime

from lunmapd.agent.state.map_snapshot import KeptSnapshot
from lunmapd.clock import rfc3339
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import FRESH, ConditionUpdate, false_condition

NOT_READ = false_condition(
    FRESH, Reason.NOT_READ, "the effective map is the last one that was read; see StoreReadable"
)


def no_map(reason: Reason, why: str) -> ConditionUpdate:
    """Return MapFresh for a node without a map to follow."""
    return false_condition(FRESH, reason, f"there is no effective map, LIO is left as it is: {why}")


def assess_snapshot(kept: KeptSnapshot | None, limit: float, now: float) -> ConditionUpdate:
    """Return MapFresh, with the reason FROM_SNAPSHOT if the snapshot may be followed at `now`.

    `limit` is the highest age in seconds, 0 for never; `now` is a Unix time. A negative age comes from a
    clock that was set back, as on a machine without a battery. It counts as 0 and is in the message.
    """
    if kept is None:
        return no_map(Reason.NO_SNAPSHOT, "none was ever read on this machine")
    if not limit or now - kept.seen > limit:
        return no_map(Reason.SNAPSHOT_TOO_OLD, f"{_describe(kept, now)}; snapshot_max_age is {limit:g} s")
    return false_condition(FRESH, Reason.FROM_SNAPSHOT, f"the effective map is {_describe(kept, now)}")


def _describe(kept: KeptSnapshot, now: float) -> str:
    seen = rfc3339(datetime.fromtimestamp(kept.seen, UTC))
    return (
        f"revision {kept.snapshot.revision} of the local snapshot, last known to be the newest at {seen}, "
        f"{_show_age(now - kept.seen)}"
    )


def _show_age(seconds: float) -> str:
    if seconds < 0:
        return "which is yet to come: the clock was set back, the age counts as 0"
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
