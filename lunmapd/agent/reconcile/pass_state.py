"""The state that one pass hands to the next.

Theory of operation
===================

A full pass observes all of LIO and plans for the whole map. With 10,000 Luns that takes seconds, and most
commits change one Lun. So a partial pass observes and plans only the objects that a change of the map
concerns. It may do so while everything else is known to be as the last full pass left it.

States: `_start` is one of two things.

- a `StartingPoint`: the map, the desired and the observed objects after the last pass. The next pass may be
  partial.
- a `FullPass`: the reason why the next pass must be full. The first one is FIRST.

Transitions:

    start()           any state      -> INTERRUPTED; returns a Partial, or why the pass must be full
    finish_partial()  INTERRUPTED    -> the starting point of that Partial, moved to the new map
    finish_full()     INTERRUPTED    -> a new starting point, or why partial passes can't start here
    finish_held()     INTERRUPTED    -> HELD
    reload()          any state      -> RELOADED
    try_again()       any state      -> CHANGED_OUTSIDE, if anything fails

A pass that raises, is killed in the middle or is not enough reaches no `finish_...`: the state stays
INTERRUPTED. So a starting point is never used after a pass whose end is unknown, and a partial pass may
change it in place.

`start` returns a full pass if, in this order: the audit is due or there is no starting point; a deferred
object is due; something besides Luns and initiators differs from the last pass; the change of the map
concerns objects that are not as desired yet. core/base/event_reasons.py names each reason, and the debug log
has it (FULL_RECONCILE).

Invariants of a starting point:

1. Its observed objects are those of LIO, except for changes made outside lunmapd. The audit finds those.
2. Its desired objects are all that the map asks for; what the node can't have is in `unfinished`.
3. An object in `unfinished` is tried again by full passes only, since only they see what a failed step left
   behind.

Three more things outlive a pass, whether it was full or partial:

- the drift baseline (baseline.py) distinguishes out-of-band changes from steps that are still to be done;
- the schedule (schedule.py) knows when the audit and each deferred object are due;
- the map and the keys of the last pass: when they change, a deferred object may be right now, and is tried at
  once.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

from lunmapd.agent.reconcile.baseline import BaselineStore
from lunmapd.agent.reconcile.incremental import StartingPoint, starting_point
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.agent.reconcile.schedule import Schedule
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desired_delta import Delta
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.decide import Comparison, PassInput
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan
from lunmapd.core.secrets.sealing import SecretOpener

_AT_ONCE = {FullPass.FIRST, FullPass.RELOADED, FullPass.NO_AUDIT}
"""Reasons for a full pass that say more than the audit, which is due then too."""


class Partial(NamedTuple):
    """A partial pass: where it starts, and the objects that the change of the map concerns."""

    origin: StartingPoint
    delta: Delta


class MapAndKeys(NamedTuple):
    """What a pass worked from that may be the cause of a failure."""

    lunmap: Lunmap
    vault: SecretOpener


class PassState:
    """The state that one pass hands to the next; see the theory of operation above."""

    def __init__(self, audit: float, retry: float = 5.0, now: Callable[[], float] = time.monotonic) -> None:
        """Start without a pass.

        `audit` and `retry` are in seconds, as in Schedule; `now` is a monotonic clock.
        """
        self._now = now
        self._start: StartingPoint | FullPass = FullPass.FIRST
        self._last: MapAndKeys | None = None
        self.baseline = BaselineStore()
        self.schedule = Schedule(audit, retry, now)

    def reload(self, audit: float, retry: float) -> None:
        """Use other times from now on; the next pass is a full one, which tries everything."""
        self.schedule = Schedule(audit, retry, self._now)
        self._start = FullPass.RELOADED

    def try_again(self) -> None:
        """Let the next pass try everything that fails, because something outside has changed."""
        if self.schedule.forget_failures():
            self._start = FullPass.CHANGED_OUTSIDE

    def start(self, given: PassInput) -> Partial | FullPass:
        """Begin a pass: return the partial pass that is enough, or why a full one must be made."""
        origin, self._start = self._start, FullPass.INTERRUPTED
        partial = self._choose(origin, self.schedule.start_pass(), given)
        if isinstance(partial, FullPass) and self._is_news(given):
            self.schedule.forget_failures()
        self._last = MapAndKeys(given.lunmap, given.vault)
        return partial

    def finish_partial(self, partial: Partial, outcomes: tuple[StepOutcome, ...]) -> PassResult:
        """End a partial pass whose objects were observed as desired; return the result for the whole node."""
        origin, delta = partial
        origin.advance(delta)
        self.baseline.record_partial(origin.view.desired, delta.keys)
        self._start = origin
        return origin.result(outcomes)

    def finish_full(self, given: PassInput, comparison: Comparison, result: PassResult) -> None:
        """End a full pass; `comparison` is the one after the last observation."""
        desired = self.baseline.record_full(comparison, result.left)
        self.schedule.finish_full(
            {**_remaining(result.left), **result.failures}, result.empty, result.draining
        )
        if not self.schedule.has_audits:
            self._start = FullPass.NO_AUDIT
            return
        self._start = starting_point(given, comparison, result, desired)
        if isinstance(self._start, StartingPoint):
            self.baseline.share(self._start.view.desired)

    def finish_held(self, why: LunmapdError) -> None:
        """End a full pass that was held until a mass removal is confirmed."""
        self._start = FullPass.HELD
        self.schedule.finish_full({("pass",): Failure(Reason.REMOVAL_HELD, str(why))})

    def _choose(
        self, origin: StartingPoint | FullPass, due: FullPass | None, given: PassInput
    ) -> Partial | FullPass:
        if isinstance(origin, FullPass):
            return due if due is FullPass.AUDIT and origin not in _AT_ONCE else origin
        if due is not None:
            return due
        delta = origin.delta_to(given)
        return delta if isinstance(delta, FullPass) else Partial(origin, delta)

    def _is_news(self, given: PassInput) -> bool:
        """Return whether the input may help what fails: a first pass is no news."""
        last = self._last
        return last is not None and (given.lunmap is not last.lunmap or given.vault != last.vault)


def _remaining(left: Plan) -> dict[lio_objects.Key, Failure]:
    return {lio_objects.key_of(step.item): Failure(Reason.REMAINING, str(step)) for step in left}
