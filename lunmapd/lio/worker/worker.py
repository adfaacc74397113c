"""The process that alone touches configfs: `python -m lunmapd.lio.worker.worker`, requests on stdin, answers on stdout.

It ends when its stdin closes and at nothing else: signals to the group, such as Ctrl-C or a service manager's
SIGTERM, must not stop it half-way through a step.
"""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from functools import partial
from threading import Lock

from msgspec import Struct, field

from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import Ledger
from lunmapd.core.planning.plan import Step
from lunmapd.lio.apply import luns
from lunmapd.lio.apply.apply import apply
from lunmapd.lio.apply.prepare import prepare
from lunmapd.lio.base import rts
from lunmapd.lio.base.index import Places, domain
from lunmapd.lio.base.observation import Known
from lunmapd.lio.base.refusal import RefusedError, attempt
from lunmapd.lio.observe.observe import kernel_features, look_at
from lunmapd.lio.observe.observe_some import SurprisedError, glance
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.parallel import lanes, runs, worthwhile
from lunmapd.lio.worker.progress import Teller


class Worker(Struct):
    """What the worker knows between requests; `send` takes its answers."""

    send: Callable[[wire.Answer], None]
    side_by_side: bool
    places: Places = field(default_factory=Places)
    features: AbstractSet[str] | None = None

    def answer(self, request: wire.Request) -> None:
        """Do what is asked, and send the answers as they come."""
        match request:
            case wire.Observe():
                self._look(partial(self._observe, request))
            case wire.Glance():
                self._look(partial(self._glance, request))
            case wire.Apply():
                self._apply(request.steps)

    def _look(self, work: Callable[[], None]) -> None:
        failure = _guarded(work)
        if failure is not None:
            self.send(wire.Unseen(failure))

    def _observe(self, request: wire.Observe) -> None:
        if self.features is None:
            prepare()
            self.features = kernel_features()
        known = Known(request.held, self.features, self.places.devices)
        # What else was known before is not kept beside what is found.
        self.places = Places()
        with attempt("read LIO"), Teller(self.send) as teller:
            claims, enter = frozenset(request.claims), partial(teller.begin, 0)
            sight = look_at(rts.ROOT, claims, known, self._hand_on, enter)
        self.places = sight.places
        self.send(wire.seen(sight.observed))

    def _hand_on(self, objects: tuple[lio_objects.Object, ...]) -> None:
        self.send(wire.Some(objects))

    def _glance(self, request: wire.Glance) -> None:
        with attempt("read LIO"):
            found = glance(rts.ROOT, self.places, request.items)
        self.send(wire.Seen(tuple(found.objects.values()), (), (), tuple(found.sessions)))

    def _apply(self, steps: Iterable[Step]) -> None:
        ledger = Ledger()
        teller = Teller(self.send)
        do_one = partial(self._do, teller)
        with teller, lanes(do_one, side_by_side=self.side_by_side) as do:
            for run in runs(steps):
                if teller.unheard:
                    break
                ready = [each for each in run if not _told_to_wait(ledger, teller, *each)]
                for _, step in ready:
                    luns.reserve(step, self.places)
                for (_, step), failure in zip(ready, do(ready), strict=True):
                    if failure is not None:
                        ledger.record(step)

    def _do(self, teller: Teller, number: int, step: Step) -> Failure | None:
        teller.begin(number, domain(step.item, self.places))
        failure = _guarded(partial(apply, step, self.places))
        teller.end(number, failure)
        return failure


def _told_to_wait(ledger: Ledger, teller: Teller, number: int, step: Step) -> bool:
    failure = ledger.waits(step)
    if failure is not None:
        ledger.record(step)
        teller.end(number, failure)
    return failure is not None


def _guarded(work: Callable[[], None]) -> Failure | None:
    try:
        work()
    except RefusedError as error:
        return error.failure
    except SurprisedError:
        return Failure("Surprised", "something is not where it was left")
    except Exception as error:  # noqa: BLE001 - a mistake of ours or rtslib's must cost one object, not the node
        return Failure("Internal", f"{type(error).__name__}: {error}")
    return None


def serve(requests: Iterable[bytes], send: Callable[[bytes], None], *, side_by_side: bool) -> None:
    """Answer requests until there are no more."""
    lock = Lock()

    def answer(what: wire.Answer) -> None:
        with lock:
            send(wire.encode(what) + b"\n")

    worker = Worker(answer, side_by_side=side_by_side)
    for line in requests:
        worker.answer(wire.decode_request(line))


def main(*, side_by_side: bool) -> None:
    """Serve stdin and stdout; whatever a library prints goes to stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # rtslib says with every storage object that it did not move LIO's database; that is as it should be.
    warnings.filterwarnings("ignore", "Cannot set dbroot")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, lambda line: _write(answers.fileno(), line), side_by_side=side_by_side)
    except BrokenPipeError:
        return


def _write(descriptor: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    main(side_by_side=worthwhile())
