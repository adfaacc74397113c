"""Reports the worker's progress with a batch to the parent: at intervals during the batch, and at its end."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lunmapd.core.node.failure import Failure
from lunmapd.lio.base.helper_thread import HelperThread
from lunmapd.lio.worker.wire import ProgressAnswer

_INTERVAL = 0.1  # seconds between two reports


class ProgressReporter:
    """Collects outcomes from several threads and sends them; a context manager around one batch.

    An answer for each step would cost more than the step, so the thread of `helper` sends the collected
    outcomes at intervals. It also sends while a step is stuck in the kernel, which blocks only the thread of
    that step.
    """

    def __init__(self, send: Callable[[ProgressAnswer], None], helper: HelperThread) -> None:
        """Send through `send`, from one thread at a time.

        `parent_gone` is set once the pipe to the parent is broken.
        """
        self._send = send
        self._lock = threading.Lock()
        self._outcomes: list[tuple[int, Failure | None]] = []
        self._under_way: dict[int, str] = {}
        self._reported: tuple[tuple[int, str], ...] = ()
        self._helper = helper
        self._sending = threading.Lock()
        self._ended = threading.Event()
        self.parent_gone = False

    def __enter__(self) -> Self:
        self._helper.run(self._report_repeatedly)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._sending:
            self._ended.set()
        self._report()

    def begin(self, number: int, path: str) -> None:
        """Record that step `number` has started; `path` is the directory that it blocks if it is stuck."""
        with self._lock:
            self._under_way[number] = path

    def end(self, number: int, outcome: Failure | None) -> None:
        """Record the outcome of a step: its failure, None if it is done."""
        with self._lock:
            self._under_way.pop(number, None)
            self._outcomes.append((number, outcome))

    def _report_repeatedly(self) -> None:
        while not self._ended.wait(_INTERVAL):
            try:
                self._report_unless_ended()
            except BrokenPipeError:
                self.parent_gone = True
                return

    def _report_unless_ended(self) -> None:
        """Report, but never after the last report of the batch."""
        with self._sending:
            if not self._ended.is_set():
                self._report()

    def _report(self) -> None:
        with self._lock:
            outcomes, self._outcomes = tuple(self._outcomes), []
            under_way = tuple(self._under_way.items())
            changed = bool(outcomes) or under_way != self._reported
            self._reported = under_way
        if changed:
            self._send(ProgressAnswer(outcomes, under_way))
