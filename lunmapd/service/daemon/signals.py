"""The signals of the daemon: each is kept until the loop handles it."""

import signal
from collections.abc import Callable
from types import FrameType

from lunmapd.core.base.event_reasons import WakeCause


class Signals:
    """TERM and INT ask to stop, HUP to reload. Each calls `notify`, so that the loop does not wait on."""

    def __init__(self, notify: Callable[[WakeCause], None]) -> None:
        """Start with no signal received; `notify` must be reentrant, since a signal handler calls it."""
        self._notify = notify
        self._stop = False
        self._reload = False

    def listen(self) -> None:
        """Install the signal handlers; in the main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take)

    def stop(self) -> None:
        """Ask to stop, as TERM does."""
        self._stop = True
        self._notify(WakeCause.STOP)

    def stopping(self) -> bool:
        """Return whether a signal asked to stop."""
        return self._stop

    def reload(self) -> bool:
        """Return whether a signal asked for a reload since the last call."""
        asked, self._reload = self._reload, False
        return asked

    def _take(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
            self._notify(WakeCause.RELOAD)
        else:
            self.stop()
