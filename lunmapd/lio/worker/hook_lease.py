"""The promotion of the storage of one group, as long as its lease is extended, beside the passes.

The hook runs in a thread of its own, so that the lease is extended meanwhile. When the lease ends, the
storage is demoted here, too, if the daemon hangs or is stopped. Nothing demotes it if this process is
stopped.
"""

from collections.abc import Callable
from threading import Condition, Lock, Thread

from lunmapd.clock import boot_time
from lunmapd.core.floating.hook_plan import HookPlan, Run
from lunmapd.core.floating.promotion import HookCall, HookReport
from lunmapd.lio.worker.run_hook import RunHook, run_hook

_ASK = 9.0  # seconds that the first request waits for the first answer of the hook
_LONGEST = 60.0  # seconds between two looks at what is due


class HookLease:
    """What one hook has promoted for one group, and until when. Requests may come from any thread."""

    def __init__(self, run: RunHook = run_hook, clock: Callable[[], float] = boot_time) -> None:
        """Start without knowing anything; `clock` returns CLOCK_BOOTTIME in seconds."""
        self._run, self._clock = run, clock
        self._plan = HookPlan()
        self._changed = Condition()
        Thread(target=self._work, name="hook", daemon=True).start()

    def read(self, call: HookCall) -> HookReport:
        """Return how far the storage is; the first time, the hook is asked."""
        with self._changed:
            self._follow(call)
            self._changed.wait_for(lambda: self._plan.is_asked, _ASK)
            return self._plan.report(self._clock())

    def promote(self, call: HookCall, not_after: float, until: float) -> HookReport:
        """Let the storage be promoted until a time. Raises TimeoutError if it is later than `not_after`."""
        with self._changed:
            if self._clock() > not_after:
                raise TimeoutError("the request to promote the storage came too late")
            self._plan.permit(until)
            self._follow(call)
            return self._plan.report(self._clock())

    def demote(self, call: HookCall) -> HookReport:
        """Let the storage be demoted; a promotion under way is killed."""
        with self._changed:
            self._plan.close()
            self._follow(call)
            return self._plan.report(self._clock())

    def forget(self) -> None:
        """Leave the storage as it is from now on, and end the thread."""
        with self._changed:
            self._plan.forget()
            self._changed.notify_all()

    def _follow(self, call: HookCall) -> None:
        self._plan.follow(call)
        self._changed.notify_all()

    def _work(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._plan.call is not None)
            while (call := self._plan.call) is not None:
                due = self._plan.due(self._clock())
                if isinstance(due, Run):
                    self._do(due, call)
                else:
                    self._changed.wait(max(0.0, min(due - self._clock(), _LONGEST)))

    def _do(self, due: Run, call: HookCall) -> None:
        self._plan.began(due.action, self._clock())
        self._changed.release()
        try:
            result = self._run(due.action, call, self._plan.limit)
        finally:
            self._changed.acquire()
        self._plan.ended(call, result, self._clock())
        self._changed.notify_all()


class HookLeases:
    """The leases of all groups with a hook, by the group's name."""

    def __init__(self, run: RunHook = run_hook) -> None:
        """Start without a lease; `run` runs a hook."""
        self._run = run
        self._leases: dict[str, tuple[str, HookLease]] = {}
        self._lock = Lock()

    def of(self, group: str, hook: str) -> HookLease:
        """Return the lease of a group by this hook; what another hook promoted before is left as it is."""
        with self._lock:
            name, lease = self._leases.get(group, ("", None))
            if lease is None or name != hook:
                self._forget(group)
                lease = HookLease(self._run)
                self._leases[group] = (hook, lease)
            return lease

    def forget(self, group: str) -> None:
        """End the lease of a group, and leave its storage as it is."""
        with self._lock:
            self._forget(group)

    def _forget(self, group: str) -> None:
        if group in self._leases:
            self._leases.pop(group)[1].forget()
