"""Times as text: RFC 3339 in UTC, such as `2026-01-31T12:00:00Z`."""

from datetime import UTC, datetime


def rfc3339(time: datetime, timespec: str = "seconds") -> str:
    """Format a time with a zone; `timespec` as in datetime.isoformat (`auto` adds microseconds unless 0)."""
    return time.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def utc_now() -> str:
    """Return the present time, to the second."""
    return rfc3339(datetime.now(UTC))
