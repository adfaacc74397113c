"""Messages to the service manager, by sd_notify(3); without a manager they go nowhere."""

import os
import time
from contextlib import suppress

from systemd.daemon import notify

from lunmapd.core.base.text import printable

_MICRO = 1_000_000
_UNWATCHED = 60.0  # seconds between two pings without a watchdog


class Manager:
    """systemd, if it started the daemon.

    The watchdog's ping (`beat`) comes from the loop that does the work, between two operations that have a
    deadline each. A thread for it would go on while the work hangs. The watchdog's timeout must be at least
    twice the longest deadline, so that a slow daemon is not taken for one that hangs.
    """

    def __init__(self, longest: float) -> None:
        """Extend the watchdog's timeout if it is too short; `longest` is the longest deadline, in seconds."""
        self._patience = 2 * longest
        self._busy = True
        watched = _watchdog_seconds()
        if 0 < watched < self._patience:
            _send(f"WATCHDOG_USEC={self._patience * _MICRO:.0f}")
            watched = self._patience
        self.every = watched / 4 or _UNWATCHED

    def beat(self) -> None:
        """Ping the watchdog; while starting or reloading, extend the timeout of that too."""
        more = f"\nEXTEND_TIMEOUT_USEC={self._patience * _MICRO:.0f}" if self._busy else ""
        _send(f"WATCHDOG=1{more}")

    def ready(self, status: str) -> None:
        """Report that starting or reloading is done, with one line of status."""
        self._busy = False
        _send(f"READY=1\nSTATUS={printable(status)}")

    def reloading(self) -> None:
        """Report that the settings are being read again."""
        self._busy = True
        _send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that the daemon stops."""
        _send("STOPPING=1")


def _send(text: str) -> None:
    """Send a message. A manager that can't be reached, as while it is executed again, stops no work."""
    with suppress(OSError):
        notify(text)


def _watchdog_seconds() -> float:
    """Return the watchdog's timeout in seconds, 0 for none. systemd sets a number; other managers may not."""
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / _MICRO if text.isascii() and text.isdigit() else 0.0
