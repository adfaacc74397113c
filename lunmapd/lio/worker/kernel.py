"""LIO behind a worker process, which is replaced when it is stuck or dies; every call has a deadline."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.events import Event
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.interning import ObjectPool, ValuePool
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.node.overlay import Overlay
from lunmapd.core.planning.outcome import FailureTracker, StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.base.index import target_or_tpg_at
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.batches import Batches
from lunmapd.lio.worker.process import WorkerGoneError, WorkerLateError, WorkerProcess
from lunmapd.lio.worker.quarantine import Quarantine, StuckStep
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

_KILL_TIME = 0.1  # seconds; a process that is not stuck in the kernel dies of SIGKILL at once
# -P: no module is imported from the working directory.
WORKER_COMMAND = (sys.executable, "-P", "-m", "lunmapd.lio.worker.worker")


class Deadlines(Struct, frozen=True):
    """Limits in seconds, and how many workers a plan may lose before its other steps are put off.

    `observe` and `step` limit the wait for the next answer of the worker, and not a whole observation or
    plan: with 10,000 Luns on a busy node either takes longer than any of its calls into the kernel.
    """

    observe: float = 60.0
    step: float = 30.0
    close: float = 5.0
    max_lost_workers: int = 4

    @property
    def longest(self) -> float:
        """The longest wait in seconds: a step that needs a new worker needs an observation first."""
        return self.observe + self.step


class KernelUnreadableError(ConditionError, reason=Reason.KERNEL_UNREADABLE):
    """LIO could not be read; `failure` has the reason."""

    def __init__(self, failure: Failure) -> None:
        """Build from the Failure."""
        super().__init__(failure.message)
        self.failure = failure


class Kernel:
    """LIO behind deadlines. Not thread-safe: one caller at a time.

    `answered` is called at each part of an observation. `_objects` are the last observed objects, updated by
    each applied step, `_backings` the backings of the last full observation.
    """

    def __init__(
        self,
        command: Sequence[str] = WORKER_COMMAND,
        deadlines: Deadlines | None = None,
        answered: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; the first observation starts the worker process, if `start` did not."""
        self._command = command
        self._answered = answered
        self._deadlines = deadlines or Deadlines()
        self._worker: WorkerProcess | None = None
        self._blocked: WorkerProcess | None = None
        self._abandoned: list[WorkerProcess] = []
        self._quarantine = Quarantine()
        self._claims: AbstractSet[str] = frozenset()
        self._objects = Overlay[lio_objects.Key, lio_objects.Object]({})
        self._backings: Mapping[str, BackingFacts] = {}

    def start(self) -> None:
        """Start the worker process, so that it loads its libraries while the caller does other work.

        The next call must be `observe`. Raises OSError.
        """
        self._worker = self._start()

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe LIO; see observe_lio for `claims`. Raises KernelUnreadableError.

        Objects in a directory where a step is stuck are returned as they were last observed.
        """
        self._claims = claims
        self._check_not_blocked()
        self._worker = self._worker or self._start()
        parts = _Parts(self._objects, self._backings)
        request = wire.Observe(tuple(claims), self._quarantine.directories(self._objects.values()))
        answer = self._ask(self._worker, request, parts.add)
        if isinstance(answer, wire.FailedAnswer):
            raise KernelUnreadableError(answer.failure)
        observed = wire.unpack_observed(answer, parts.pool.objects(), parts.backings)
        self._objects, self._backings = Overlay(observed.objects), observed.backings
        return observed

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Observe these objects and their backings only, given as they are desired.

        Return None if a full observation is needed. The objects are read where the last observation and the
        steps since have them in the worker's index. Raises KernelUnreadableError.
        """
        if self._worker is None or not self._worker.alive or self._quarantine:
            return None
        read: list[lio_objects.Object] = []
        request = wire.PartialObserve(tuple(items))
        answer = self._ask(self._worker, request, lambda found: read.extend(found.objects))
        if isinstance(answer, wire.FailedAnswer):
            return None
        observed = {lio_objects.key_of(item): item for item in read}
        for key in map(lio_objects.key_of, items):
            self._objects.pop(key, None)
        self._objects.update(observed)
        return Observed(observed, backings=dict(wire.ungroup_facts(answer.backings, observed.get)))

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands that initiators have sent to some mapped LUNs.

        None are counted without a worker, or beside a stuck step, whose directory must not be read. Raises
        KernelUnreadableError.
        """
        if self._worker is None or not self._worker.alive or self._quarantine:
            return ()
        answer = self._ask(self._worker, wire.CountCommands(tuple(acls)), lambda _: None)
        return () if isinstance(answer, wire.FailedAnswer) else answer.commands

    def apply(self, steps: Iterable[Step]) -> Iterator[StepOutcome]:
        """Apply the steps in order, and yield the outcome of each step that is done, failed or left out."""
        ledger, lost, queue = FailureTracker(), _LostWorkers(self._deadlines.max_lost_workers), Batches(steps)
        while batch := queue.take():
            ready: list[Step] = []
            for step in batch:
                failure = ledger.waits(step) or lost.final or self._quarantine.failure(step.item)
                if failure is None:
                    ready.append(step)
                else:
                    ledger.record(step)
                    yield StepOutcome(step, failure)
            for report in self._do(ready, queue, lost):
                if report.failure is not None:
                    ledger.record(report.step)
                yield report

    def close(self) -> None:
        """Let the worker finish its step, then end it. LIO stays as it is."""
        if self._worker is not None:
            self._worker.close(self._deadlines.close)
            self._abandoned.append(self._worker)
        self._worker = None
        self._abandoned = [worker for worker in self._abandoned if not worker.wait_ended(_KILL_TIME)]

    def _do(self, batch: Sequence[Step], queue: Batches, lost: "_LostWorkers") -> Iterator[StepOutcome]:
        """Apply a batch. If the worker is lost, the rest of the batch goes back into the queue."""
        if batch and self._worker is None:
            try:
                self.observe(self._claims)
            except KernelUnreadableError as error:
                lost.final = error.failure
                yield from (StepOutcome(step, error.failure) for step in batch)
                return
        if batch and queue.careful and self._is_applied(batch[0]):
            yield StepOutcome(batch[0])
        elif batch:
            yield from self._send(batch, queue, lost)

    def _send(self, batch: Sequence[Step], queue: Batches, lost: "_LostWorkers") -> Iterator[StepOutcome]:
        assert self._worker is not None, "an observation starts one"
        worker, left = self._worker, dict(enumerate(batch))
        deadline = time.monotonic() + self._deadlines.step
        try:
            worker.send(wire.Apply(tuple(batch)), deadline)
            while left:
                answer = worker.receive(deadline)
                assert isinstance(answer, wire.ProgressAnswer), "only an observation has other answers"
                deadline = time.monotonic() + self._deadlines.step
                for number, outcome in answer.outcomes:
                    yield self._record(left.pop(number), outcome)
        except WorkerLateError:
            hanging = worker.under_way or {min(left): ""}
            stuck = [
                self._quarantine_step(worker, left.pop(number), path) for number, path in hanging.items()
            ]
            lost.note(self._lose(worker, stuck[-1].failure()))
            queue.put_back(tuple(left.values()))
            yield from (
                StepOutcome(batch[number], each.failure())
                for number, each in zip(hanging, stuck, strict=True)
            )
        except WorkerGoneError as error:
            step = left[min(left)]
            failure = self._lose(worker, Failure(Reason.WORKER_DIED, f"{error} during: {step}"))
            if len(batch) == 1:
                yield StepOutcome(step, lost.note(failure))
            else:
                queue.put_back(tuple(left.values()), careful=True)

    def _quarantine_step(self, worker: WorkerProcess, step: Step, path: str) -> StuckStep:
        stuck = StuckStep(step.item, path, self._stuck_message(worker, str(step), self._deadlines.step))
        self._quarantine.add(worker, stuck)
        return stuck

    def _record(self, step: Step, failure: Failure | None) -> StepOutcome:
        if failure is None and step.action is Action.DELETE:
            self._objects.pop(lio_objects.key_of(step.item), None)
        elif failure is None:
            self._objects[lio_objects.key_of(step.item)] = step.item
        return StepOutcome(step, failure)

    def _is_applied(self, step: Step) -> bool:
        """Return whether the last observation shows the state after the step."""
        observed = self._objects.get(lio_objects.key_of(step.item))
        return observed is None if step.action is Action.DELETE else observed == step.item

    def _ask(
        self,
        worker: WorkerProcess,
        request: wire.Request,
        take: Callable[[wire.ObjectsAnswer | wire.ObservedAnswer], None],
    ) -> wire.ObservedAnswer | wire.FailedAnswer:
        """Request an observation. `take` receives its parts and its end. Raises KernelUnreadableError."""
        deadline = time.monotonic() + self._deadlines.observe
        try:
            worker.send(request, deadline)
            while isinstance(answer := worker.receive(deadline), wire.ObjectsAnswer | wire.ProgressAnswer):
                deadline = time.monotonic() + self._deadlines.observe
                self._answered()
                if isinstance(answer, wire.ObjectsAnswer):
                    take(answer)
            if isinstance(answer, wire.ObservedAnswer):
                take(answer)
        except WorkerLateError:
            failure = self._lose(worker, self._quarantine_directory(worker, request))
        except WorkerGoneError as error:
            failure = self._lose(worker, Failure(Reason.WORKER_DIED, f"{error} while it read LIO"))
        else:
            return answer
        raise KernelUnreadableError(failure)

    def _quarantine_directory(self, worker: WorkerProcess, request: wire.Request) -> Failure:
        """Quarantine the directory where an observation is stuck, if it is a target's or a TPG's.

        A partial observation reports no directory. The full one after it gets stuck too, and reports it. If
        no directory can be quarantined, `_blocked` prevents further observations until this worker has ended.
        """
        path = worker.under_way.get(0, "")
        what = f"reading LIO {path}".strip()
        failure = Failure(Reason.STUCK, self._stuck_message(worker, what, self._deadlines.observe))
        item = target_or_tpg_at(path)
        if item is not None:
            self._quarantine.add(worker, StuckStep(item, path, failure.message))
        elif isinstance(request, wire.Observe):
            self._blocked = worker
        return failure

    def _check_not_blocked(self) -> None:
        """Raise KernelUnreadableError while a worker is stuck in a directory that can't be left out."""
        if self._blocked is not None and self._blocked.alive:
            stack = self._blocked.kernel_stack()
            message = f"worker {self._blocked.pid} is still stuck reading LIO, in {stack}"
            raise KernelUnreadableError(Failure(Reason.STUCK, message))
        self._blocked = None

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._command)
        trace(_log, Event.WORKER_STARTED, pid=worker.pid)
        return worker

    def _lose(self, worker: WorkerProcess, failure: Failure) -> Failure:
        trace(_log, Event.WORKER_LOST, pid=worker.pid, reason=failure.message)
        worker.abandon()
        self._abandoned = [left for left in (*self._abandoned, worker) if left.alive]
        self._worker = None
        return failure

    def _stuck_message(self, worker: WorkerProcess, what: str, seconds: float) -> str:
        stack = worker.kernel_stack()
        return f"{what}: no answer from the kernel for {seconds:g} s; worker {worker.pid} waits in {stack}"


class _Parts:
    """Collects the parts of an observation, which share what is as in the last one."""

    def __init__(self, objects: lio_objects.Objects, backings: Mapping[str, BackingFacts]) -> None:
        """Start without parts; `objects` and `backings` are those of the last observation."""
        self.pool = ObjectPool[lio_objects.Object](objects, ValuePool().share)
        self.backings: dict[str, BackingFacts] = {}
        self._before = backings

    def add(self, part: wire.ObjectsAnswer | wire.ObservedAnswer) -> None:
        self.pool.add(part.objects)
        for name, facts in wire.ungroup_facts(part.backings, self.pool.get):
            known = self._before.get(name)
            self.backings[name] = facts if known is None or known != facts else known


class _LostWorkers:
    """Counts the workers that one plan has lost.

    From the limit on, `final` is the failure of every further step.
    """

    def __init__(self, limit: int) -> None:
        self._remaining = limit
        self.final: Failure | None = None

    def note(self, failure: Failure) -> Failure:
        self._remaining -= 1
        if self._remaining <= 0:
            self.final = failure
        return failure
