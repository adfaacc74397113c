"""Tells the parent how far the worker is with a batch: at its end, and from time to time as long as a step goes on."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lunmapd.core.node.failure import Failure
from lunmapd.lio.worker.wire import Progress

_EVERY = 0.1  # seconds


class Teller:
    """Collects outcomes, from several threads, and sends them; a context manager around one batch.

    An answer for each step would cost more than the step. So a thread of its own sends what has come together now and then:
    also when the step in hand hangs in the kernel, which holds up nobody but the thread that made it.
    """

    def __init__(self, send: Callable[[Progress], None]) -> None:
        """Send through `send`, from one thread at a time. `unheard` tells that the parent is gone."""
        self._send = send
        self._lock = threading.Lock()
        self._outcomes: list[tuple[int, Failure | None]] = []
        self._under_way: dict[int, str] = {}
        self._told: tuple[tuple[int, str], ...] = ()
        self._over = threading.Event()
        self.unheard = False
        self._thread = threading.Thread(target=self._tell_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._tell()

    def begin(self, number: int, path: str) -> None:
        """Note that a step begins that would block this directory if it hangs."""
        with self._lock:
            self._under_way[number] = path

    def end(self, number: int, outcome: Failure | None) -> None:
        """Note what became of a step."""
        with self._lock:
            self._under_way.pop(number, None)
            self._outcomes.append((number, outcome))

    def _tell_on(self) -> None:
        while not self._over.wait(_EVERY):
            try:
                self._tell()
            except BrokenPipeError:
                self.unheard = True
                return

    def _tell(self) -> None:
        with self._lock:
            outcomes, self._outcomes = tuple(self._outcomes), []
            under_way = tuple(self._under_way.items())
            news = bool(outcomes) or under_way != self._told
            self._told = under_way
        if news:
            self._send(Progress(outcomes, under_way))
