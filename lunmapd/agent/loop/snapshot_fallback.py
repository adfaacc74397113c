"""Whether the local snapshot may stand in for the map while that can't be read, and what is said of it; pure."""

from datetime import UTC, datetime

from lunmapd.agent.state.map_snapshot import KeptSnapshot
from lunmapd.clock import rfc3339
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import FRESH, ConditionUpdate, false_condition

NOT_READ = false_condition(
    FRESH, Reason.NOT_READ, "the map in force is the last one that was read; StoreReadable says why"
)


def no_map(reason: Reason, why: str) -> ConditionUpdate:
    """Say that there is nothing to follow, and why."""
    return false_condition(FRESH, reason, f"no map is in force, LIO is left as it is: {why}")


def assess_snapshot(kept: KeptSnapshot | None, limit: float, now: float) -> ConditionUpdate:
    """Say whether what was kept may be followed at `now` (Unix time); if so, the reason is Reason.FROM_SNAPSHOT.

    An age below 0 comes of a clock that was set back, as on a machine without a battery: it counts as 0, since a map
    that is kept for nothing helps nobody, and it is said.
    """
    if kept is None:
        return no_map(Reason.NO_SNAPSHOT, "none was ever read on this machine")
    if not limit or now - kept.seen > limit:
        return no_map(Reason.SNAPSHOT_TOO_OLD, f"{_describe(kept, now)}; snapshot_max_age is {limit:g} s")
    return false_condition(FRESH, Reason.FROM_SNAPSHOT, f"the map in force is {_describe(kept, now)}")


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
