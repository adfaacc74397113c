"""The kernel as the service uses it: each answer pings the watchdog, and a stop ends a plan early."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from lunmapd.agent.reconcile.reconcile import LioKernel
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan


class WatchedKernel:
    """A kernel that calls `beat` around each operation, and ends a plan once `stopping` returns true."""

    def __init__(self, kernel: LioKernel, beat: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Wrap `kernel`."""
        self._kernel = kernel
        self._beat = beat
        self._stopping = stopping

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe all objects of lunmapd; see Kernel."""
        self._beat()
        return self._kernel.observe(claims)

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Look at some objects of the kernel."""
        self._beat()
        return self._kernel.observe_some(items)

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands of some initiators; see Kernel."""
        self._beat()
        return self._kernel.count_commands(acls)

    def apply(self, plan: Plan) -> Iterator[StepOutcome]:
        """Execute the steps in order; after a stop the rest is left to the next daemon."""
        self._beat()
        for report in self._kernel.apply(plan):
            self._beat()
            yield report
            if self._stopping():
                return
