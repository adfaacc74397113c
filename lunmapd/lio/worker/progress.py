"""Tells the parent how far the worker is with a batch: at its end, and from time to time as long as a step goes on."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lunmapd.core.node.failure import Failure
from lunmapd.lio.worker.wire import ProgressAnswer

_INTERVAL = 0.1  # seconds


class ProgressReporter:
    """Collects outcomes, from several threads, and sends them; a context manager around one batch.

    An answer for each step would cost more than the step. So a thread of its own sends what has come together now and then:
    also when the step in hand hangs in the kernel, which holds up nobody but the thread that made it.
    """

    def __init__(self, send: Callable[[ProgressAnswer], None]) -> None:
        """Send through `send`, from one thread at a time. `unheard` tells that the parent is gone."""
        self._send = send
        self._lock = threading.Lock()
        self._outcomes: list[tuple[int, Failure | None]] = []
        self._under_way: dict[int, str] = {}
        self._reported: tuple[tuple[int, str], ...] = ()
        self._ended = threading.Event()
        self.parent_gone = False
        self._thread = threading.Thread(target=self._report_repeatedly, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._report()

    def begin(self, number: int, path: str) -> None:
        """Note that a step begins that would block this directory if it hangs."""
        with self._lock:
            self._under_way[number] = path

    def end(self, number: int, outcome: Failure | None) -> None:
        """Note what became of a step."""
        with self._lock:
            self._under_way.pop(number, None)
            self._outcomes.append((number, outcome))

    def _report_repeatedly(self) -> None:
        while not self._ended.wait(_INTERVAL):
            try:
                self._report()
            except BrokenPipeError:
                self.parent_gone = True
                return

    def _report(self) -> None:
        with self._lock:
            outcomes, self._outcomes = tuple(self._outcomes), []
            under_way = tuple(self._under_way.items())
            changed = bool(outcomes) or under_way != self._reported
            self._reported = under_way
        if changed:
            self._send(ProgressAnswer(outcomes, under_way))
