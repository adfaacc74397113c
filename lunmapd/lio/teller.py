"""Tells the parent how far the worker is with a batch: at its end, and from time to time as long as a step goes on."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lunmapd.core.outcome import Failure
from lunmapd.lio.wire import Progress

_EVERY = 0.1  # seconds


class Teller:
    """Collects outcomes and sends them; a context manager around one batch.

    An answer for each step would cost more than the step. So a thread of its own sends what has come together now and then:
    also when the step in hand hangs in the kernel, which holds up nobody but the thread that made it.
    """

    def __init__(self, send: Callable[[Progress], None]) -> None:
        """Send through `send`, from one thread at a time. `unheard` tells that the parent is gone."""
        self._send = send
        self._lock = threading.Lock()
        self._outcomes: list[Failure | None] = []
        self._path, self._told = "", ""
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

    def begin(self, path: str) -> None:
        """Note that a step begins that would block this directory if it hangs."""
        with self._lock:
            self._path = path

    def end(self, outcome: Failure | None) -> None:
        """Note what became of it."""
        with self._lock:
            self._outcomes.append(outcome)

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
            news = bool(outcomes) or self._path != self._told
            self._told = self._path
        if news:
            self._send(Progress(outcomes, self._told))
