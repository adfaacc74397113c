"""The wait between two cycles, and what ends it: a watch, a device, a signal, or another session."""

import queue

from lunmapd.core.base.event_reasons import WakeCause


class Wakeup:
    """Collects causes to start a cycle. `notify` may be called from any thread and from a signal handler.

    A cycle reads everything that it needs, so causes are only logged: several of them start one cycle. An
    Event would not do: a signal that arrives while the main thread holds the event's lock would wait for
    itself. SimpleQueue.put is reentrant (Python library reference, queue).
    """

    def __init__(self) -> None:
        """Start without a cause."""
        self._causes: queue.SimpleQueue[WakeCause] = queue.SimpleQueue()

    def notify(self, cause: WakeCause) -> None:
        """End the wait that is going on, or the next one."""
        self._causes.put(cause)

    def wait(self, seconds: float) -> frozenset[WakeCause]:
        """Wait at most `seconds` for a cause; return all causes since the last call, none after a timeout."""
        causes: set[WakeCause] = set()
        try:
            causes.add(self._causes.get(timeout=max(0.0, seconds)))
            while True:
                causes.add(self._causes.get_nowait())
        except queue.Empty:
            return frozenset(causes)
