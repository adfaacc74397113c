"""Times as text, RFC 3339 in UTC such as `2026-01-31T12:00:00Z`, and the clock of leases."""

import time
from datetime import UTC, datetime


def rfc3339(moment: datetime, timespec: str = "seconds") -> str:
    """Format a time with a zone; `timespec` as in datetime.isoformat (`auto` adds microseconds unless 0)."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def utc_now() -> str:
    """Return the present time, to the second."""
    return rfc3339(datetime.now(UTC))


def boot_time() -> float:
    """Return CLOCK_BOOTTIME in seconds: it goes on while the machine is suspended (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
