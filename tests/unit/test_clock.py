"""Times as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lunmapd.clock import rfc3339, utc_now

EARLY = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("time", "seconds", "auto"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 1, tzinfo=EARLY), "2026-01-30T23:00:00Z", "2026-01-30T23:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 5, 900, UTC), "2026-01-31T12:00:05Z", "2026-01-31T12:00:05.000900Z"),
    ],
)
def test_times_are_in_utc(time: datetime, seconds: str, auto: str) -> None:
    """Times are truncated to seconds; `auto` keeps the fraction."""
    assert (rfc3339(time), rfc3339(time, "auto")) == (seconds, auto)
    assert rfc3339(time) == time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_now_is_read_back() -> None:
    """To the second."""
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= datetime.fromisoformat(utc_now()) <= datetime.now(UTC)
