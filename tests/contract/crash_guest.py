"""Runs in the storage node: kills a worker at each configfs operation; the next one must recover."""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count

from msgspec import json

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.planning.plan import Plan, plan
from lunmapd.lio.apply.prepare import prepare_kernel
from lunmapd.lio.worker import wire
from lunmapd.lio.worker.worker import Worker

_ROOT = "/sys/kernel/config/target/"
_CHANGES = ("os.mkdir", "os.rmdir", "os.symlink", "os.remove")


def main() -> None:
    """Go through the states repeatedly, killed one operation later each time.

    Print the kills for each step.
    """
    claims, *states = json.decode(sys.stdin.buffer.read(), type=list[wire.ObservedAnswer])
    prepare_kernel()
    kills = [0] * len(states)
    for number in count():
        alive = [
            _killed(
                claims.foreign,
                lio_objects.complete_objects({lio_objects.key_of(item): item for item in state.objects}),
                number,
            )
            for state in states
        ]
        kills = [kill + (not lives) for kill, lives in zip(kills, alive, strict=True)]
        if all(alive):
            break
    sys.stdout.write(json.encode(kills).decode())


def _killed(claims: tuple[str, ...], desired: lio_objects.DesiredObjects, number: int) -> bool:
    """Apply the state, killed before operation `number`, and apply it again.

    Return whether the first run completed.
    """
    child = os.fork()
    if child == 0:
        sys.addaudithook(_Killer(number))
        _go(claims, desired)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    child = os.fork()
    if child == 0:
        _go(claims, desired)
        left = _plan(_worker(lambda _: None), claims, desired)
        os._exit(len(left) > 0)
    _, healed = os.waitpid(child, 0)
    assert healed == 0, f"killed at operation {number}, the next pass left something to do"
    return not os.WIFSIGNALED(status)


class _Killer:
    """Counts the operations that change configfs, and ends the process before a chosen one."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and bool(int(str(arguments[2])) & os.O_ACCMODE)
        if not (event in _CHANGES or writes) or not _is_inside(event, arguments):
            return
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def _is_inside(event: str, arguments: tuple[object, ...]) -> bool:
    path = arguments[1] if event == "os.symlink" else arguments[0]
    return os.fsdecode(path).startswith(_ROOT) if isinstance(path, str | bytes | os.PathLike) else False


def _worker(send: Callable[[wire.Answer], None]) -> Worker:
    """Return a worker that needs no preparation: that runs modprobe, and would hundreds of times here."""
    return Worker(send, features=frozenset({PORT_ID}), parallel=True)


def _go(claims: tuple[str, ...], desired: lio_objects.DesiredObjects) -> None:
    outcomes: list[tuple[int, object]] = []
    worker = _worker(lambda answer: outcomes.extend(getattr(answer, "outcomes", ())))
    steps = _plan(worker, claims, desired)
    worker.answer(wire.Apply(steps))
    assert sorted(outcomes) == [(number, None) for number in range(len(steps))], outcomes


def _plan(worker: Worker, claims: tuple[str, ...], desired: lio_objects.DesiredObjects) -> Plan:
    answers: list[wire.Answer] = []
    send, worker.send = worker.send, answers.append
    worker.answer(wire.Observe(claims))
    worker.send = send
    seen: list[lio_objects.Object] = []
    for answer in answers:
        if isinstance(answer, wire.ProgressAnswer):
            continue  # reports the directory that is read
        assert isinstance(answer, wire.ObjectsAnswer | wire.ObservedAnswer), answer
        seen += answer.objects
    return plan(desired, {lio_objects.key_of(item): item for item in seen})


main()
