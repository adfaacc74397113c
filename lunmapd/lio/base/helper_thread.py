"""A thread that is kept for the next work, since its start costs as much as 25 system calls."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

_Work = Callable[[], None]


class HelperThread:
    """Runs one function after the other in a thread of its own, which starts with the first one."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._queue = SimpleQueue[_Work | None]()
        self._thread: Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs a function or waits for the next one."""
        return self._thread is not None and self._thread.is_alive()

    def run(self, work: _Work) -> None:
        """Let the thread run the function after those before it; return at once.

        An exception ends the thread; the next call starts another one.
        """
        if not self.alive:
            self._thread = Thread(target=_run_all, args=(self._queue,), daemon=True)
            self._thread.start()
        self._queue.put(work)

    def end(self) -> None:
        """Let the thread end after the functions that it was given."""
        self._queue.put(None)


def _run_all(queue: SimpleQueue[_Work | None]) -> None:
    while (work := queue.get()) is not None:
        work()
