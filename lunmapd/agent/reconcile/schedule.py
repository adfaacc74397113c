"""When a pass is due without a cause from outside: the audit, and the back-off of what failed."""

import logging
from collections.abc import Callable, Iterator, Mapping

from lunmapd.agent.reconcile.backoff import Backoff
from lunmapd.core.base.event_reasons import FullPass, Timer
from lunmapd.core.base.events import Event
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.trace import trace, tracing

_log = logging.getLogger(__name__)

_NEVER = float("inf")


class Schedule:
    """A full pass every `audit` seconds, and a new attempt `retry` seconds after a failure.

    Each further failure doubles the delay, up to `audit`. With an `audit` of 0 every pass is an audit. The
    first pass is one too. Times count from the end of a pass; `now` is a monotonic clock.
    """

    def __init__(self, audit: float, retry: float, now: Callable[[], float]) -> None:
        """Start with an audit that is due."""
        self._now = now
        self._audit = audit
        self._audit_at = float("-inf")
        self._is_audit = True
        self._empty_until = _NEVER
        self._drain_at = _NEVER
        self.backoff = Backoff(retry, audit, now)

    @property
    def has_audits(self) -> bool:
        """Whether audits are made from time to time, so that the passes between them may be partial."""
        return self._audit > 0

    def timers(self) -> Iterator[tuple[Timer, float]]:
        """Yield what will be due if nothing happens, and in how many seconds."""
        yield Timer.BACK_OFF, self.backoff.wait()
        yield Timer.LEFT_EMPTY, max(0.0, self._empty_until - self._now())
        yield Timer.DRAINING, max(0.0, self._drain_at - self._now())
        if self.has_audits:
            yield Timer.AUDIT, max(0.0, self._audit_at - self._now())

    def deferrals(self) -> Iterator[tuple[lio_objects.Key, Failure, float]]:
        """Yield each deferred object, its failure, and the time of its next attempt; an audit tries all."""
        for key, failure, due in self.backoff.schedule():
            yield key, failure, max(0.0, min(due, self._audit_at))

    def start_pass(self) -> FullPass | None:
        """Return what is due now: AUDIT, LEFT_EMPTY, DRAINING, RETRY or nothing.

        An audit tries everything that is deferred.
        """
        self._is_audit = self._now() >= self._audit_at
        if self._is_audit:
            self.backoff.hasten()
            return FullPass.AUDIT
        if self._now() >= self._empty_until:
            return FullPass.LEFT_EMPTY
        if self._now() >= self._drain_at:
            return FullPass.DRAINING
        return None if self.backoff.wait() else FullPass.RETRY

    def finish_full(
        self,
        failures: Mapping[lio_objects.Key, Failure],
        empty: float = _NEVER,
        draining: float = _NEVER,
    ) -> None:
        """Record what fails at the end of a full pass.

        `empty` are the seconds until a LUN number was empty for long enough, infinity if none must be;
        `draining` those until the next look at a drain.
        """
        self.backoff.settle(failures)
        self._empty_until = self._now() + empty
        self._drain_at = self._now() + draining
        if tracing(_log):
            self._trace_deferred()
        if self._is_audit:
            self._audit_at = self._now() + self._audit

    def forget_failures(self) -> bool:
        """Let everything be tried in the next pass; return whether anything failed."""
        is_any = self.backoff.wait() < _NEVER
        self.backoff.forget()
        return is_any

    def _trace_deferred(self) -> None:
        deferred = [
            f"{lio_objects.show_key(key)} for {seconds:.1f} s ({failure.reason})"
            for key, failure, seconds in self.backoff.pauses()
        ]
        if deferred:
            seconds, objects = self.backoff.wait(), first_of(deferred, 3)
            trace(_log, Event.BACK_OFF, count=len(deferred), seconds=seconds, objects=objects)
