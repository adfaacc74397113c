"""When what fails is tried again: each object has a time of its own, later each time that it fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import Deferred
from lunmapd.core.planning.outcome import StepOutcome

_NOT_TRIED = {Reason.WAITING, Reason.DRIFTED}


class FailedStep(Struct, frozen=True):
    """What failed, and when its time comes. Only a step that was `tried` is put off; all else costs a look, and is found by it."""

    failure: Failure
    delay: float
    due: float
    tried: bool


class Backoff:
    """Puts off from `first` seconds to `most`, twice as long each time. `now` is a monotonic clock."""

    def __init__(self, first: float, most: float, now: Callable[[], float]) -> None:
        """Begin with nothing put off."""
        self._first = first
        self._most = max(first, most)
        self._now = now
        self._late: dict[lio_objects.Key, FailedStep] = {}
        self._new: set[lio_objects.Key] = set()

    def deferred(self) -> Deferred:
        """Return the objects whose next attempt is not due, each with its last failure."""
        now = self._now()
        return {key: failure for key, failure, due in self.schedule() if now < due}

    def schedule(self) -> Iterator[tuple[lio_objects.Key, Failure, float]]:
        """Yield each object whose step has failed, with the failure, and the time from which it is tried again."""
        return ((key, entry.failure, entry.due) for key, entry in self._late.items() if entry.tried)

    def tried(self, reports: Iterable[StepOutcome]) -> None:
        """Put off the steps that have failed just now."""
        for report in reports:
            if report.failure is not None and report.failure.reason not in _NOT_TRIED:
                name = lio_objects.key_of(report.step.item)
                self._put_off(name, report.failure, tried=True)
                self._new.add(name)

    def settle(self, failures: Mapping[lio_objects.Key, Failure]) -> None:
        """Note at the end of a pass what fails, for whatever reason; all else is forgotten. Times count from now."""
        causes = {name: failure for name, failure in failures.items() if failure.reason not in _NOT_TRIED}
        self._late = {name: entry for name, entry in self._late.items() if name in causes}
        now = self._now()
        for name, failure in causes.items():
            entry = self._late.get(name)
            if entry is not None and name in self._new:
                self._late[name] = replace(entry, due=now + entry.delay)
            elif entry is None or entry.due <= now:
                self._put_off(name, failure, tried=False)
        self._new = set()

    def _put_off(self, name: lio_objects.Key, failure: Failure, *, tried: bool) -> None:
        before = self._late.get(name)
        delay = self._first if before is None else min(2 * before.delay, self._most)
        self._late[name] = FailedStep(failure, delay, self._now() + delay, tried)

    def wait(self) -> float:
        """Return how many seconds it is until the first time comes, infinity if none does."""
        return max(0.0, min((entry.due for entry in self._late.values()), default=float("inf")) - self._now())

    def pauses(self) -> Iterator[tuple[lio_objects.Key, Failure, float]]:
        """Yield each step that is deferred: its object, its failure, and the seconds until it is tried again."""
        now = self._now()
        for key, failure, due in self.schedule():
            if now < due:
                yield key, failure, due - now

    def hasten(self) -> None:
        """Let everything be tried now; what fails again waits as long as it would have."""
        now = self._now()
        self._late = {name: replace(entry, due=now) for name, entry in self._late.items()}

    def forget(self) -> None:
        """Let everything be tried now, and begin anew: something has changed that may help."""
        self._late = {}
