"""When the hook of one group runs, and what follows from its exit status. Pure.

The lease of the group permits the storage to be promoted until a time, which each renewal extends. When it
ends, the storage is demoted, whether the daemon asks for that or hangs. Times are of CLOCK_BOOTTIME, in
seconds.
"""

from math import inf

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.lease import ADOPTED
from lunmapd.core.floating.promotion import HookAction, HookCall, HookReport, HookResult, Promotion
from lunmapd.core.node.failure import Failure

DONE, DEMOTED, NOT_PROMOTABLE, TRY_AGAIN = 0, 3, 4, 75
"""Exit statuses: done, or promoted; demoted; demoted and can't be promoted now; EX_TEMPFAIL (sysexits.h)."""

DEADLINE = 30.0
"""How long a hook may promote or demote; it is killed earlier if the lease ends while it promotes."""

STATUS_DEADLINE = 8.0
"""How long a hook may take to report its status."""

CHECK = 10.0
"""The time between two reports of a demoted storage."""

SETTLE = 0.5
"""The time from the end of a lease, when the paths are closed, to the demotion."""

TRY_FOR = 30.0
"""How long a promotion is tried again that the hook asked to try again."""

HOOK_PAUSE = 1.0
"""The time before a hook that asked for it, or that failed to demote, runs again."""

BACK_OFF = (5.0, 15.0, 60.0, 300.0, 3600.0)
"""The times after one, two, ... failed promotions in which this node does not try to own the group."""


class Run(Struct, frozen=True):
    """Run the hook with an action."""

    action: HookAction


class HookPlan:
    """Decides about the hook of one group: `due` says what to do, `began` and `ended` what was done."""

    def __init__(self) -> None:
        """Start without knowing how far the storage is."""
        self.call: HookCall | None = None
        self._known: Promotion | None = None
        self._luns: frozenset[tuple[str, str]] = frozenset()
        self._until: float | None = None
        self._closing = False
        self._running: HookAction | None = None
        self._began_at = self._checked_at = self._retry_at = self._tried_since = -inf
        self._failures = 0
        self._refused: Failure | None = None  # the last promotion failed; until _retry_at
        self._unfit: Failure | None = None  # the hook reports that it can't promote
        self._stuck: Failure | None = None  # how far the storage is can't be known or changed

    @property
    def is_asked(self) -> bool:
        """Whether the hook has answered how far the storage is."""
        return self._known is not None

    def follow(self, call: HookCall) -> None:
        """Take the present Luns of the group; the hook stays the same."""
        self.call = call

    def permit(self, until: float) -> None:
        """Let the storage be promoted until a time."""
        self._until, self._closing = until, False

    def close(self) -> None:
        """Let the storage be demoted; a promotion under way is to be killed."""
        self._until, self._closing, self._tried_since = None, True, -inf

    def forget(self) -> None:
        """Leave the storage as it is."""
        self.call, self._until, self._closing = None, None, False

    def limit(self) -> float:
        """Return when the running hook is killed."""
        if self._running is HookAction.PROMOTE:
            return min(self._began_at + DEADLINE, -inf if self._until is None else self._until)
        return self._began_at + (STATUS_DEADLINE if self._running is HookAction.STATUS else DEADLINE)

    def due(self, now: float) -> Run | float:
        """Return what is to be run now, or the time until which nothing is."""
        if self.call is None or self._running is not None:
            return inf
        if self._known is None:
            return Run(HookAction.STATUS)
        if self._until is not None and now < self._until:
            return self._promotion_due(now)
        is_over = self._until is not None and now >= self._until + SETTLE
        if self._closing or is_over or self._known is Promotion.DEMOTED:
            return self._demotion_due(now)
        return inf if self._until is None else self._until + SETTLE

    def _promotion_due(self, now: float) -> Run | float:
        assert self._until is not None, "promoted by a lease"
        if self._known is Promotion.PROMOTED and self._has_all:
            return self._until
        return Run(HookAction.PROMOTE) if now >= self._retry_at else min(self._retry_at, self._until)

    def _demotion_due(self, now: float) -> Run | float:
        if self._known is not Promotion.DEMOTED or not self._has_all:
            again = self._began_at + HOOK_PAUSE if self._stuck else -inf
            return Run(HookAction.DEMOTE) if now >= again else again
        checked = self._checked_at + CHECK
        return Run(HookAction.STATUS) if now >= checked else checked

    @property
    def _has_all(self) -> bool:
        """Whether the last action was for all Luns that the group has now."""
        return self.call is not None and self._luns >= set(self.call.luns)

    def began(self, action: HookAction, now: float) -> None:
        """Take it that the hook runs."""
        self._running, self._began_at = action, now
        if action is HookAction.PROMOTE and self._tried_since == -inf:
            self._tried_since = now

    def ended(self, call: HookCall, result: HookResult, now: float) -> None:
        """Take the result of the hook that ran for `call`."""
        action, self._running = self._running, None
        match action:
            case HookAction.STATUS:
                self._learn(call, result, now)
            case HookAction.PROMOTE:
                self._promoted(call, result, now)
            case _:
                self._demoted(call, result)

    def _learn(self, call: HookCall, result: HookResult, now: float) -> None:
        self._checked_at, self._luns = now, frozenset(call.luns)
        before, self._known = self._known, Promotion.UNKNOWN
        self._unfit = self._stuck = None
        match result.status:
            case 0:
                self._known = Promotion.PROMOTED
                if self._until is None and not self._closing:
                    self._until = now + ADOPTED
            case 3:
                self._known = Promotion.DEMOTED
            case 4:
                self._known, self._unfit = Promotion.DEMOTED, _not_promotable(call, result)
            case _:
                # After a boot the devices are missing: to demote makes them.
                self._stuck = None if before is None else _failed(HookAction.STATUS, call, result)

    def _promoted(self, call: HookCall, result: HookResult, now: float) -> None:
        if result.status == DONE:
            self._known, self._luns = Promotion.PROMOTED, frozenset(call.luns)
            self._failures, self._refused, self._stuck, self._tried_since = 0, None, None, -inf
            self._unfit = None
            return
        if self._known is Promotion.PROMOTED:
            # The other Luns are served; the device of the new one fails until it is promoted.
            self._retry_at, self._tried_since = now + CHECK, -inf
            return
        self._known = Promotion.UNKNOWN
        if result.status == TRY_AGAIN and now < self._tried_since + TRY_FOR:
            self._retry_at = now + HOOK_PAUSE
            return
        self._tried_since = -inf
        if self._until is not None and now < self._until:
            self._failures += 1
            self._retry_at = now + BACK_OFF[min(self._failures, len(BACK_OFF)) - 1]
            self._refused = _failed(HookAction.PROMOTE, call, result)

    def _demoted(self, call: HookCall, result: HookResult) -> None:
        if result.status == DONE:
            self._known, self._luns, self._stuck = Promotion.DEMOTED, frozenset(call.luns), None
            self._checked_at = -inf
        else:
            self._known, self._stuck = Promotion.UNKNOWN, _failed(HookAction.DEMOTE, call, result)

    def report(self, now: float) -> HookReport:
        """Return how far the storage is."""
        problem = self._stuck or (self._refused if now < self._retry_at else None) or self._unfit
        return HookReport(self._shown(now, problem), problem)

    def _shown(self, now: float, problem: Failure | None) -> Promotion:
        known = self._known or Promotion.UNKNOWN
        is_permitted = self._until is not None and now < self._until
        if is_permitted and known is not Promotion.PROMOTED and problem is None:
            return Promotion.PROMOTING
        is_shut = known is Promotion.DEMOTED and self._has_all
        if self._running is HookAction.DEMOTE or (self._closing and not is_shut and problem is None):
            return Promotion.DEMOTING
        return Promotion.UNKNOWN if known is Promotion.DEMOTED and not is_shut else known


def _not_promotable(call: HookCall, result: HookResult) -> Failure:
    return Failure(
        Reason.NOT_PROMOTABLE,
        f"the hook {call.name} reports that the storage of {_luns(call)} can't be promoted on this node now: "
        f"{result.message or 'without a reason'}",
    )


def _failed(action: HookAction, call: HookCall, result: HookResult) -> Failure:
    ended = "" if result.status is None else f"exit status {result.status}: "
    return Failure(
        Reason.HOOK_FAILED,
        f"'{call.name} {action}' failed for {_luns(call)}: {ended}{result.message or 'without a message'}; "
        "see docs/hooks.md and the journal",
    )


def _luns(call: HookCall) -> str:
    first, more = call.luns[0][0], len(call.luns) - 1
    return f"{first} and {more} more" if more else first
