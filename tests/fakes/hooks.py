"""Hooks without programs: storage that several nodes of one process promote and demote."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lunmapd.core.floating.hook_plan import HookPlan, Run
from lunmapd.core.floating.promotion import HookAction, HookCall, HookReport, HookResult
from lunmapd.lio.worker.switch import SwitchAction
from lunmapd.lio.worker.switch_process import SwitchRefusedError


@dataclass
class FakeStorage:
    """Storage of which the nodes in `promoted` accept writes. `admits_two`: it does not refuse the second."""

    admits_two: bool = True
    promoted: set[str] = field(default_factory=set)


class FakeHooks:
    """The process of one node that runs the hook of its one group, in simulated time.

    A hook takes `seconds` to promote or demote, or hangs. `broken` is the exit status of each promotion.
    """

    def __init__(self, node: str, storage: FakeStorage, clock: Callable[[], float]) -> None:
        self.node, self.storage, self.clock = node, storage, clock
        self.plan = HookPlan()
        self.seconds = 0.3
        self.hangs = False
        self.broken: int | None = None
        self._running: tuple[HookAction, HookCall, float] | None = None

    def ask_hook(
        self, action: SwitchAction, group: str, hook: HookCall | None, not_after: float, until: float
    ) -> HookReport:
        """Carry out a request as the process does; the first status comes at once."""
        if hook is None:
            self.plan.forget()
            return HookReport()
        if action is SwitchAction.PROMOTE:
            if self.clock() > not_after:
                raise SwitchRefusedError(f"the request of {group} came too late")
            self.plan.permit(until)
        elif action is SwitchAction.DEMOTE:
            self.plan.close()
        self.plan.follow(hook)
        if not self.plan.is_asked:
            self.plan.began(HookAction.STATUS, self.clock())
            self.plan.ended(hook, self._status(), self.clock())
        self.advance()
        return self.plan.report(self.clock())

    def advance(self) -> None:
        """Let the hook begin and end as time goes on."""
        now = self.clock()
        if self._running is not None:
            action, call, end = self._running
            if now >= self.plan.limit():
                self._running = None
                self.plan.ended(call, HookResult(None, "it was killed"), now)
            elif now >= end and not self.hangs:
                self._running = None
                self.plan.ended(call, self._done(action), now)
        due = self.plan.due(now)
        if isinstance(due, Run) and self.plan.call is not None:
            self.plan.began(due.action, now)
            seconds = 0.0 if due.action is HookAction.STATUS else self.seconds
            self._running = (due.action, self.plan.call, now + seconds)

    def _done(self, action: HookAction) -> HookResult:
        others = self.storage.promoted - {self.node}
        if self.broken is not None and action is HookAction.PROMOTE:
            return HookResult(self.broken, "the disk is Outdated")
        if action is HookAction.PROMOTE and others and not self.storage.admits_two:
            return HookResult(75, "the other node is primary")
        if action is HookAction.PROMOTE:
            self.storage.promoted.add(self.node)
        elif action is HookAction.DEMOTE:
            self.storage.promoted.discard(self.node)
        return self._status() if action is HookAction.STATUS else HookResult(0)

    def _status(self) -> HookResult:
        return HookResult(0 if self.node in self.storage.promoted else 3)
