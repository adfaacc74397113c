"""What the passes so far have found, so that the next one can go by the change of the map alone, and tells drift from it."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.agent.reconcile.backoff import Backoff
from lunmapd.agent.reconcile.result import Result
from lunmapd.agent.state.seen_file import Past, PastFile, Terms, recalled, refused
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.events import Event, FullPass, Timer
from lunmapd.core.base.reasons import OF_BACKINGS, Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.node.desired_delta import MAX_CHANGED_LUNS, Delta, DesiredView
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import accept_edits
from lunmapd.core.planning import drift
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.drift import Known
from lunmapd.core.planning.enablement import Offer
from lunmapd.core.planning.outcome import Report
from lunmapd.core.planning.plan import Disruption, Plan
from lunmapd.core.planning.withhold import bears
from lunmapd.trace import trace, tracing

log = logging.getLogger(__name__)

_TOLD = OF_BACKINGS | {Reason.FOREIGN_TARGET}
"""Why something of the map can't be had, while all that is wanted can be told."""


_AT_ONCE = {FullPass.FIRST, FullPass.RELOADED, FullPass.NO_AUDIT}
"""Reasons for a full pass that are more to the point than the audit, which is due then too."""


class Rest(Struct, frozen=True):
    """What the last whole pass could not bring about: it stays out of the parts that follow, and stays reported.

    `open` are the objects concerned, nothing may be built on those that are `missing`, and nothing taken away that they stand `on`.
    `luns` are the Luns that they serve. `allow` is what the pass was allowed.
    """

    failures: Mapping[lio_objects.Key, Failure]
    left: Plan
    decided: AbstractSet[lio_objects.Key]
    open: AbstractSet[lio_objects.Key]
    missing: AbstractSet[lio_objects.Key]
    on: AbstractSet[lio_objects.Key]
    luns: AbstractSet[str | None]
    allow: Disruption

    def concerns(self, part: Delta) -> bool:
        """Tell whether a part has anything to do with what is left, so that only a whole pass can tell."""
        parents = {parent for item in part.desired.values() for parent in lio_objects.parents_of(item)}
        going = part.keys - part.desired.keys()
        return bool(
            part.keys & self.open or part.luns & self.luns or parents & self.missing or going & self.on
        )


def _rest(result: Result, allow: Disruption) -> Rest:
    left = {lio_objects.key_of(step.item): step for step in result.left}
    failing = ((name, step, result.failures.get(name)) for name, step in left.items())
    bearing = {name for name, step, failure in failing if failure is not None and bears(step, failure)}
    names = result.failures.keys() | left.keys()
    items = [step.item for step in left.values()]
    on = {parent for item in items for parent in lio_objects.parents_of(item)}
    luns = {lio_objects.lun_served_by(item) for item in items}
    return Rest(result.failures, result.left, result.decided, names, names - bearing, on, luns, allow)


class Memory:
    """Remembers what is wanted and what was seen. Every `audit` seconds the kernel is looked at as a whole again.

    That finds what somebody else has changed in it. What fails is tried again after `retry` seconds, then ever
    more seldom, and at each audit. `now` is a monotonic clock.
    """

    def __init__(self, audit: float, retry: float = 5.0, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing; with an `audit` of 0 each pass is a whole one."""
        self._now = now
        self._last: PassInput | None = None
        self._rest: Rest | None = None
        self.known: Known | None = None
        self.known_by: Terms | None = None
        self.refused: AbstractSet[lio_objects.Key] = frozenset()
        self.observed = Observed()
        self.adopt(audit, retry)
        self._reason = FullPass.FIRST

    def adopt(self, audit: float, retry: float) -> None:
        """Go by other times, look at everything in the next pass, and try at once what fails."""
        self._audit = audit
        self._audit_at = float("-inf")
        self._is_audit = True
        self._view: DesiredView | None = None
        self._reason = FullPass.RELOADED
        self._pending: tuple[DesiredView, Delta] | None = None
        self.backoff = Backoff(retry, audit, self._now)

    def try_again(self) -> None:
        """Let a whole pass try at once what fails, if anything does: something has changed that may help."""
        if self.backoff.wait() < float("inf"):
            self._view, self._reason = None, FullPass.CHANGED_OUTSIDE
        self.backoff.forget()

    def timers(self) -> Iterator[tuple[Timer, float]]:
        """Yield what a pass will have to do if nothing happens, and in how many seconds."""
        yield Timer.BACK_OFF, self.backoff.wait()
        if self._audit:
            yield Timer.AUDIT, max(0.0, self._audit_at - self._now())

    def recall(self, seen: PastFile | None, terms: Terms | None, want: Desired) -> None:
        """Take up what a former daemon saw under the same terms."""
        past = None if self.known is not None or seen is None or terms is None else seen.recall(terms)
        if past is not None:
            self.known, self.known_by = recalled(past, want), terms

    def keep(self, seen: PastFile | None) -> None:
        """Write what was seen to the seen file, so that a restart tells drift from what there is still to do."""
        if seen is not None and self.known is not None and self.known_by is not None:
            seen.keep(Past(self.known_by, tuple(sorted(self.known.open)), tuple(sorted(self.refused))))

    def part(self, orders: PassInput) -> Delta | FullPass:
        """Return the part of the objects that these orders concern, or why a full pass must be made.

        All is forgotten unless `settle` records that this part is as it is wanted.
        """
        view, self._view = self._view, None
        last, self._last = self._last, orders
        self._is_audit = self._now() >= self._audit_at
        part = self._due(view) or self._follow(view, orders)
        self._reason = FullPass.INTERRUPTED
        if self._is_audit:
            self.backoff.hasten()
        if isinstance(part, FullPass) and last is not None and _is_news(last, orders):
            self.backoff.forget()
        self._pending = None if view is None or isinstance(part, FullPass) else (view, part)
        return part

    def _due(self, view: DesiredView | None) -> FullPass | None:
        """Return why a full pass must be made whatever the orders are, None if it need not."""
        if self._is_audit:
            return self._reason if self._reason in _AT_ONCE else FullPass.AUDIT
        if view is None:
            return self._reason
        return None if self.backoff.wait() else FullPass.RETRY

    def _end(self, failures: Mapping[lio_objects.Key, Failure]) -> None:
        """Note the end of a whole pass, from which times count."""
        self.backoff.settle(failures)
        if tracing(log):
            self._trace_deferred()
        if self._is_audit:
            self._audit_at = self._now() + self._audit

    def _trace_deferred(self) -> None:
        deferred = [
            f"{lio_objects.show_key(key)} for {seconds:.1f} s ({failure.reason})"
            for key, failure, seconds in self.backoff.pauses()
        ]
        if deferred:
            seconds, objects = self.backoff.wait(), first_of(deferred, 3)
            trace(log, Event.BACK_OFF, count=len(deferred), seconds=seconds, objects=objects)

    def _follow(self, view: DesiredView | None, orders: PassInput) -> Delta | FullPass:
        rest = self._rest
        assert view is not None, "_due() gives the reason"
        assert rest is not None, "a view is made after a full pass"
        if (reason := _difference(orders, view, rest)) is not None:
            return reason
        part = view.delta_to(orders.lunmap)
        return FullPass.UNFINISHED if isinstance(part, Delta) and rest.concerns(part) else part

    def begin(self, steps: Plan) -> None:
        """Note that these steps are to be done: where they end is no drift, until it was seen as it is wanted."""
        if self.known is not None:
            ours = {lio_objects.key_of(step.item) for step in steps if not step.drift}
            self.known = Known(self.known.wanted, self.known.open | ours)

    def see(self, part: Delta, found: lio_objects.Objects) -> None:
        """Note how the objects concerned were found."""
        objects = self.observed.objects
        assert isinstance(objects, dict), "what was observed is the pass's own"
        for name in part.keys:
            objects.pop(name, None)
        objects |= found

    def settle(self, reports: tuple[Report, ...]) -> Result:
        """Note that the last part was seen as it is wanted; return what that comes to, with what is left from before."""
        assert self._pending is not None, "part() gave one"
        assert self._rest is not None, "it stands on a whole pass"
        assert self.known is not None, "so is that"
        self._view, part = self._pending
        self._view.advance(part)
        self.known = Known(self._view.desired, self.known.open - part.keys)
        rest = self._rest
        return Result(self.observed, rest.failures, rest.left, reports, decided=rest.decided)

    def learn(self, orders: PassInput, want: Desired, desired: lio_objects.Objects, result: Result) -> None:
        """Remember a whole pass; `desired` is what it was to bring about of what is wanted."""
        seen = result.observed
        known = drift.learn(self.known, desired, seen.objects, result.left)
        # What we closed ourselves is nobody's drift when it is opened again.
        self.known = Known(known.wanted, known.open | (want.objects.keys() - desired.keys()))
        self.refused = refused(want)
        self._end({**_remaining(result.left), **result.failures})
        self._rest = _rest(result, orders.allow)
        self._reason = _obstacle(orders, want, result) or FullPass.INTERRUPTED
        if not self._audit:
            self._reason = FullPass.NO_AUDIT
        elif self._reason is FullPass.INTERRUPTED:
            self._view = DesiredView(orders.lunmap, orders.node, orders.vault, seen.foreign, known.wanted)
            self.known = Known(self._view.desired, self.known.open)
            self.observed = seen

    def held(self, why: LunmapdError) -> None:
        """Note a pass that was held."""
        self._reason = FullPass.HELD
        self._end({("pass",): Failure(Reason.REMOVAL_HELD, str(why))})


def _remaining(left: Plan) -> Mapping[lio_objects.Key, Failure]:
    return {lio_objects.key_of(step.item): Failure(Reason.REMAINING, str(step)) for step in left}


def _obstacle(orders: PassInput, want: Desired, result: Result) -> FullPass | None:
    """Return why no partial pass may follow a full one, None if it may."""
    causes = [failure for failure in result.failures.values() if failure.reason != Reason.WAITING]
    obstacles = {
        FullPass.NOT_FULLY_ENABLED: orders.offer is not Offer.ALL,
        FullPass.UNREADABLE: orders.unreadable,
        FullPass.UNKNOWN_DESIRED: any(failure.reason not in _TOLD for failure in want.failures.values()),
        FullPass.MANY_FAILURES: len(causes) > MAX_CHANGED_LUNS,
        FullPass.LEFTOVERS: any(isinstance(step.item, lio_objects.Leftover) for step in result.left),
    }
    return next((reason for reason, is_there in obstacles.items() if is_there), None)


def _difference(orders: PassInput, view: DesiredView, rest: Rest) -> FullPass | None:
    """Return what but the map differs from the last full pass, None if nothing does."""
    if orders.offer is not Offer.ALL:
        return FullPass.ISOLATION
    if orders.unreadable:
        return FullPass.DOCUMENTS
    if accept_edits(orders.lunmap, orders.edited).failures:
        return FullPass.OUT_OF_BAND
    same = (orders.vault, orders.decided, orders.allow) == (view.vault, rest.decided, rest.allow)
    return None if same else FullPass.POLICY


def _is_news(last: PassInput, orders: PassInput) -> bool:
    """Tell whether the orders may help what fails."""
    return orders.lunmap is not last.lunmap or orders.vault != last.vault
