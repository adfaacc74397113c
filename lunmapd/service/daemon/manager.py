"""What the service manager is told, by sd_notify(3); where there is none, nobody is told."""

import os
import time

from systemd.daemon import notify

_MICRO = 1_000_000
_UNWATCHED = 60.0  # seconds between two signs of life that nobody waits for


class Manager:
    """systemd, if it started us.

    A sign of life (`beat`) comes from the loop that does the work, between two things that have a deadline each. A thread
    that gives it would go on while the work hangs. So that slow is not taken for hanging, the manager is asked for twice
    the time of the longest of these things.
    """

    def __init__(self, longest: float) -> None:
        """Ask for the time that is needed; `longest` is in seconds."""
        self._patience = 2 * longest
        self._busy = True
        watched = int(os.environ.get("WATCHDOG_USEC", "0")) / _MICRO
        if 0 < watched < self._patience:
            notify(f"WATCHDOG_USEC={self._patience * _MICRO:.0f}")
            watched = self._patience
        self.every = watched / 4 or _UNWATCHED

    def beat(self) -> None:
        """Give a sign of life; while starting or reloading, ask for more time to do so."""
        more = f"\nEXTEND_TIMEOUT_USEC={self._patience * _MICRO:.0f}" if self._busy else ""
        notify(f"WATCHDOG=1{more}")

    def ready(self, status: str) -> None:
        """Say that starting or reloading is done, and how things are."""
        self._busy = False
        notify(f"READY=1\nSTATUS={' '.join(status.splitlines())}")

    def reloading(self) -> None:
        """Say that the settings are being read again."""
        self._busy = True
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the end has begun."""
        notify("STOPPING=1")
