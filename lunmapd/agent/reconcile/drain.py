"""Follows how hosts leave a drained node, from pass to pass."""

import time
from collections.abc import Callable, Mapping, Sequence

from lunmapd.core.base.lunmap import is_drained
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import AclLuns, HostCommands
from lunmapd.core.planning.decide import Comparison, PassInput
from lunmapd.core.planning.draining import (
    DrainProgress,
    UsedTpgs,
    busy_tpgs,
    follow_drain,
    reports_states,
    used_tpgs,
)
from lunmapd.core.planning.enablement import Enablement

CommandCounter = Callable[[Sequence[AclLuns]], tuple[HostCommands, ...]]


class DrainWatch:
    """Holds the progress of a drain, in memory alone; `now` is a monotonic clock, in seconds."""

    def __init__(
        self, progress: DrainProgress | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Start from `progress`, None if no drain is under way."""
        self.progress = progress
        self._now = now

    def busy(
        self, given: PassInput, comparison: Comparison, count: CommandCounter
    ) -> Mapping[lio_objects.Key, Failure]:
        """Return the TPGs that must stay enabled in a full pass, each with the reason."""
        used = self._used(given, comparison)
        if not used:
            self.progress = None
            return {}
        is_told, now = reports_states(comparison.steps), self._now()
        counted = count([host for hosts in used.values() for host in hosts]) if is_told else ()
        self.progress = follow_drain(self.progress, counted, now, is_told=is_told)
        return busy_tpgs(self.progress, used, now)

    def seconds_left(self) -> float:
        """Return the seconds until the next look, infinity if none is needed."""
        return float("inf") if self.progress is None else self.progress.seconds_left(self._now())

    def _used(self, given: PassInput, comparison: Comparison) -> UsedTpgs:
        """Return the TPGs in use if the node is drained; isolation waits for nobody."""
        if given.enablement is Enablement.NONE or not is_drained(comparison.lunmap, given.node):
            return {}
        return used_tpgs(comparison.steps, comparison.desired, comparison.observed)
