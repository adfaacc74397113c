"""The only process that touches configfs: `python -m lunmapd.lio.worker.worker`.

It reads requests from stdin and writes answers to stdout. It ends only when its stdin closes: signals to the
process group, such as Ctrl-C or a service manager's SIGTERM, must not stop it in the middle of a step.
"""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from threading import Lock

from msgspec import Struct, field

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import FailureTracker
from lunmapd.core.planning.plan import Step
from lunmapd.files import write_all
from lunmapd.lio.apply import luns
from lunmapd.lio.apply.apply import apply_step
from lunmapd.lio.apply.prepare import prepare_kernel
from lunmapd.lio.base import rts
from lunmapd.lio.base.helper_thread import HelperThread
from lunmapd.lio.base.index import KernelIndex, blocking_directory
from lunmapd.lio.base.observation import ObservationHints
from lunmapd.lio.base.path_probe import PathProbe
from lunmapd.lio.base.refusal import KernelRefusedError, attempt
from lunmapd.lio.observe.commands import count_commands
from lunmapd.lio.observe.observe import kernel_features, observe_lio
from lunmapd.lio.observe.observe_some import UnexpectedStateError, observe_some
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.parallel import has_several_processors, split_into_runs, step_runner
from lunmapd.lio.worker.progress import ProgressReporter


class Worker(Struct):
    """The worker's state between requests. `send` sends its answers.

    `features` are the kernel's features, None before the first observation. `probe` examines the paths of
    backings, `helper` is the thread that reports progress.
    """

    send: Callable[[wire.Answer], None]
    parallel: bool
    index: KernelIndex = field(default_factory=KernelIndex)
    features: AbstractSet[str] | None = None
    probe: PathProbe = field(default_factory=PathProbe)
    helper: HelperThread = field(default_factory=HelperThread)

    def answer(self, request: wire.Request) -> None:
        """Carry out a request, and send its answers."""
        match request:
            case wire.Observe():
                self._answer_or_failure(partial(self._observe, request))
            case wire.PartialObserve():
                self._answer_or_failure(partial(self._observe_some, request))
            case wire.CountCommands():
                self._answer_or_failure(partial(self._count_commands, request))
            case wire.Apply():
                self._apply(request.steps)

    def _answer_or_failure(self, work: Callable[[], None]) -> None:
        failure = _guarded(work)
        if failure is not None:
            self.send(wire.FailedAnswer(failure))

    def _observe(self, request: wire.Observe) -> None:
        if self.features is None:
            prepare_kernel()
            self.features = kernel_features()
        directories = rts.reservation_directories()
        hints = ObservationHints(request.stuck, self.features, self.index.hbas, directories, self.probe)
        # The old index is dropped before the new one is built: both together would take twice the memory.
        self.index = KernelIndex()
        with attempt("read LIO"), ProgressReporter(self.send, self.helper) as reporter:
            claims, enter = frozenset(request.claims), partial(reporter.begin, 0)
            result = observe_lio(rts.ROOT, claims, hints, self._send_objects, enter)
        self.index = result.index
        self.send(wire.pack_observed(result.observed))

    def _send_objects(
        self, objects: tuple[lio_objects.Object, ...], backings: Mapping[str, BackingFacts]
    ) -> None:
        self.send(wire.ObjectsAnswer(objects, wire.group_facts(backings)))

    def _observe_some(self, request: wire.PartialObserve) -> None:
        with attempt("read LIO"):
            observation = observe_some(rts.ROOT, self.index, request.items, self.probe)
        facts = wire.group_facts(observation.backings)
        self.send(wire.ObservedAnswer(tuple(observation.objects.values()), (), (), (), facts))

    def _count_commands(self, request: wire.CountCommands) -> None:
        with attempt("read LIO"):
            commands = count_commands(rts.ROOT, request.acls)
        self.send(wire.ObservedAnswer((), (), (), (), commands=commands))

    def _apply(self, steps: Iterable[Step]) -> None:
        luns.begin_batch(self.index)
        ledger = FailureTracker()
        reporter = ProgressReporter(self.send, self.helper)
        do_one = partial(self._do, reporter)
        with reporter, step_runner(do_one, parallel=self.parallel) as do:
            for run in split_into_runs(steps):
                if reporter.parent_gone:
                    break
                ready = [each for each in run if not _must_wait(ledger, reporter, *each)]
                for _, step in ready:
                    luns.prepare_lun(step, self.index)
                for (_, step), failure in zip(ready, do(ready), strict=True):
                    if failure is not None:
                        ledger.record(step)

    def _do(self, reporter: ProgressReporter, number: int, step: Step) -> Failure | None:
        reporter.begin(number, blocking_directory(step.item, self.index))
        failure = _guarded(partial(apply_step, step, self.index))
        reporter.end(number, failure)
        return failure


def _must_wait(ledger: FailureTracker, reporter: ProgressReporter, number: int, step: Step) -> bool:
    failure = ledger.waits(step)
    if failure is not None:
        ledger.record(step)
        reporter.end(number, failure)
    return failure is not None


def _guarded(work: Callable[[], None]) -> Failure | None:
    try:
        work()
    except KernelRefusedError as error:
        return error.failure
    except UnexpectedStateError:
        return Failure(Reason.SURPRISED, "an object is not in the state of the last observation")
    except Exception as error:  # noqa: BLE001 - a bug may cost one object, not the node
        return Failure(Reason.INTERNAL, f"{type(error).__name__}: {error}")
    return None


def serve(requests: Iterable[bytes], send: Callable[[bytes], None], *, parallel: bool) -> None:
    """Answer requests, one JSON document a line, until there are no more."""
    lock = Lock()

    def send_answer(answer: wire.Answer) -> None:
        with lock:
            send(wire.encode_message(answer) + b"\n")

    worker = Worker(send_answer, parallel=parallel)
    for line in requests:
        worker.answer(wire.decode_request(line))


def main(*, parallel: bool) -> None:
    """Serve stdin and stdout; text that a library prints goes to stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # rtslib warns at each storage object that it did not move LIO's database, which is intended.
    warnings.filterwarnings("ignore", "Cannot set dbroot")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, partial(write_all, answers.fileno()), parallel=parallel)
    except BrokenPipeError:
        return


if __name__ == "__main__":
    main(parallel=has_several_processors())
