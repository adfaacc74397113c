"""The one way to wake the loop: a watch, a timer, a signal and a lost session all ring, and none of them says more."""

import queue
import time
from collections.abc import Callable


class Bell:
    """Rings are counted as one. `ring` may be called from any thread and from a signal handler.

    An Event would not do: a signal that arrives while the main thread holds the event's lock would wait for itself.
    SimpleQueue.put is reentrant (Python library reference, queue).
    """

    def __init__(self, beat: Callable[[], None] = lambda: None, every: float = 60.0) -> None:
        """Start silent. Whoever waits calls `beat` at least every so many seconds: it waits, but it lives."""
        self._beat = beat
        self._every = every
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._rings.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait for a ring, at most `timeout` seconds; return whether there was one, and forget all that there were."""
        until = time.monotonic() + timeout
        while not self._heard(until - time.monotonic()):
            if time.monotonic() >= until:
                return False
        while not self._rings.empty():
            self._rings.get()
        return True

    def _heard(self, seconds: float) -> bool:
        self._beat()
        try:
            self._rings.get(timeout=max(0.0, min(self._every, seconds)))
        except queue.Empty:
            return False
        return True
