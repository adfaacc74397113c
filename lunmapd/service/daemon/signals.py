"""What a signal asks for, kept until the loop comes to it."""

import signal
from collections.abc import Callable
from types import FrameType


class Signals:
    """TERM and INT ask to stop, HUP to reload. Each rings, so that nobody sleeps on it."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """Begin with nothing asked for; `ring` must be fit for a signal handler."""
        self._ring = ring
        self._stop = False
        self._reload = False

    def listen(self) -> None:
        """Take the signals; in the main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take)

    def stopping(self) -> bool:
        """Tell whether the daemon was asked to stop."""
        return self._stop

    def reload(self) -> bool:
        """Tell whether a reload was asked for since the last time."""
        asked, self._reload = self._reload, False
        return asked

    def _take(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True
        self._ring()
