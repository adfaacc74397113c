"""The one way to wake the loop: a watch, a timer, a signal and a lost session all ring, and none of them says more."""

import queue


class Bell:
    """Rings are counted as one. `ring` may be called from any thread and from a signal handler.

    An Event would not do: a signal that arrives while the main thread holds the event's lock would wait for itself.
    SimpleQueue.put is reentrant (Python library reference, queue).
    """

    def __init__(self) -> None:
        """Start silent."""
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ring(self) -> None:
        """Wake whoever waits, now or next."""
        self._rings.put(None)

    def wait(self, timeout: float) -> bool:
        """Wait for a ring, at most `timeout` seconds; return whether there was one, and forget all that there were."""
        try:
            self._rings.get(timeout=timeout)
        except queue.Empty:
            return False
        while not self._rings.empty():
            self._rings.get()
        return True
