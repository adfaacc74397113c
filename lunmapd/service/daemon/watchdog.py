"""The kernel as the service sees it: each answer is a sign of life, and no further step is begun when it is time to stop."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from lunmapd.agent.reconcile.reconcile import Kernel
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.outcome import Report
from lunmapd.core.planning.plan import Plan


class WatchedKernel:
    """A kernel, with `beat` called before and after all that it does. A plan ends early once `stopping` says so."""

    def __init__(self, kernel: Kernel, beat: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Wrap a kernel."""
        self._kernel = kernel
        self._beat = beat
        self._stopping = stopping

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Look at the kernel."""
        self._beat()
        return self._kernel.observe(claims)

    def observe_some(self, items: Sequence[lio_objects.Object]) -> lio_objects.Objects | None:
        """Look at some objects of the kernel."""
        self._beat()
        return self._kernel.observe_some(items)

    def apply(self, plan: Plan) -> Iterator[Report]:
        """Do the steps in order; those that are left out when it is time to stop are left for the next daemon."""
        self._beat()
        for report in self._kernel.apply(plan):
            self._beat()
            yield report
            if self._stopping():
                return
