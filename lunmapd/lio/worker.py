"""The process that alone touches configfs: `python -m lunmapd.lio.worker`, requests on stdin, answers on stdout.

It ends when its stdin closes and at nothing else: signals to the group, such as Ctrl-C or a service manager's
SIGTERM, must not stop it half-way through a step.
"""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from msgspec import Struct, field

from lunmapd.core.outcome import Failure
from lunmapd.core.plan import Step
from lunmapd.lio import rts, wire
from lunmapd.lio.apply import apply
from lunmapd.lio.observe import kernel_features, look_at
from lunmapd.lio.places import Places, domain
from lunmapd.lio.prepare import prepare
from lunmapd.lio.refusal import RefusedError, attempt


class Worker(Struct):
    """What the worker knows between requests."""

    places: Places = field(default_factory=Places)
    features: AbstractSet[str] | None = None

    def answers(self, request: wire.Request) -> Iterator[wire.Answer]:
        """Do what is asked, yielding the answers as they come."""
        match request:
            case wire.Observe():
                yield self._guarded(lambda: self._observe(request))
            case wire.Apply():
                yield wire.Started(domain(request.step.item, self.places))
                yield self._guarded(lambda: self._apply(request.step))

    def _observe(self, request: wire.Observe) -> wire.Seen:
        if self.features is None:
            prepare()
            self.features = kernel_features()
        with attempt("read LIO"):
            sight = look_at(rts.ROOT, frozenset(request.claims), request.held, self.features)
        self.places = sight.places
        return wire.seen(sight.observed)

    def _apply(self, step: Step) -> wire.Done:
        apply(step, self.places)
        return wire.Done()

    def _guarded(self, work: Callable[[], wire.Answer]) -> wire.Answer:
        try:
            return work()
        except RefusedError as error:
            return wire.Done(error.failure)
        except Exception as error:  # noqa: BLE001 - a mistake of ours or rtslib's must cost one object, not the node
            return wire.Done(Failure("Internal", f"{type(error).__name__}: {error}"))


def serve(requests: Iterable[bytes], send: Callable[[bytes], None]) -> None:
    """Answer requests until there are no more."""
    worker = Worker()
    for line in requests:
        for answer in worker.answers(wire.decode_request(line)):
            send(wire.encode(answer) + b"\n")


def main() -> None:
    """Serve stdin and stdout; whatever a library prints goes to stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # rtslib says with every storage object that it did not move LIO's database; that is as it should be.
    warnings.filterwarnings("ignore", "Cannot set dbroot")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, lambda line: _write(answers.fileno(), line))
    except BrokenPipeError:
        return


def _write(descriptor: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    main()
