"""Back-off: when the step of a failed object is tried again.

Each further failure doubles the delay of that object.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import Deferred
from lunmapd.core.planning.outcome import StepOutcome

_NOT_TRIED = {Reason.WAITING, Reason.DRIFTED, Reason.LEFT_EMPTY, Reason.DRAINING, Reason.MOVING}


class FailedStep(Struct, frozen=True):
    """The failure of an object, and when the object is due again.

    `delay` is in seconds, `due` a monotonic time. Only a step that was `tried` is deferred. Other failures,
    such as a held step, only decide when the next full pass is made: to observe them again executes nothing.
    """

    failure: Failure
    delay: float
    due: float
    tried: bool


class Backoff:
    """Defers failed steps, from `first` seconds up to `most`, doubled each time.

    `now` is a monotonic clock.
    """

    def __init__(self, first: float, most: float, now: Callable[[], float]) -> None:
        """Start without a failure."""
        self._first = first
        self._most = max(first, most)
        self._now = now
        self._failed: dict[lio_objects.Key, FailedStep] = {}
        self._new: set[lio_objects.Key] = set()

    def deferred(self) -> Deferred:
        """Return the objects whose next attempt is not due, each with its last failure."""
        now = self._now()
        return {key: failure for key, failure, due in self.schedule() if now < due}

    def schedule(self) -> Iterator[tuple[lio_objects.Key, Failure, float]]:
        """Yield each object whose step has failed, the failure, and the time from which it is tried again."""
        return ((key, entry.failure, entry.due) for key, entry in self._failed.items() if entry.tried)

    def tried(self, outcomes: Iterable[StepOutcome]) -> None:
        """Defer the steps that have just failed."""
        for outcome in outcomes:
            if outcome.failure is not None and outcome.failure.reason not in _NOT_TRIED:
                key = lio_objects.key_of(outcome.step.item)
                self._defer(key, outcome.failure, tried=True)
                self._new.add(key)

    def settle(self, failures: Mapping[lio_objects.Key, Failure]) -> None:
        """Record all failures at the end of a pass, and forget the others. Delays count from now."""
        causes = {key: failure for key, failure in failures.items() if failure.reason not in _NOT_TRIED}
        self._failed = {key: entry for key, entry in self._failed.items() if key in causes}
        now = self._now()
        for key, failure in causes.items():
            entry = self._failed.get(key)
            if entry is not None and key in self._new:
                self._failed[key] = replace(entry, due=now + entry.delay)
            elif entry is None or entry.due <= now:
                self._defer(key, failure, tried=False)
        self._new = set()

    def _defer(self, key: lio_objects.Key, failure: Failure, *, tried: bool) -> None:
        before = self._failed.get(key)
        delay = self._first if before is None else min(2 * before.delay, self._most)
        self._failed[key] = FailedStep(failure, delay, self._now() + delay, tried)

    def wait(self) -> float:
        """Return the seconds until the first failed object is due, infinity if none has failed."""
        return max(
            0.0, min((entry.due for entry in self._failed.values()), default=float("inf")) - self._now()
        )

    def pauses(self) -> Iterator[tuple[lio_objects.Key, Failure, float]]:
        """Yield each step that is deferred.

        Its object, its failure, and the seconds until it is tried again.
        """
        now = self._now()
        for key, failure, due in self.schedule():
            if now < due:
                yield key, failure, due - now

    def hasten(self) -> None:
        """Make everything due now; a step that fails again gets the delay that it would have had next."""
        now = self._now()
        self._failed = {key: replace(entry, due=now) for key, entry in self._failed.items()}

    def forget(self) -> None:
        """Forget all failures, because something has changed that may help.

        Delays start from `first` again.
        """
        self._failed = {}
