"""Events of the debug log as records of logging."""

import logging

import pytest

from lunmapd.core.base.events import Event
from lunmapd.trace import trace

LOG = logging.getLogger("test.trace")


def test_an_event_is_a_line_and_fields(caplog: pytest.LogCaptureFixture) -> None:
    """A line has the text; the journal fields have the event, each value, and the caller's place."""
    with caplog.at_level(logging.DEBUG):
        trace(LOG, Event.PAUSED, seconds=12.34, timer="retry")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("DEBUG", "waits at most 12.3 s, until retry")
    fields = {name: text for name, text in vars(record).items() if name.startswith("LUNMAPD_")}
    assert fields == {"LUNMAPD_EVENT": "PAUSED", "LUNMAPD_SECONDS": "12.34", "LUNMAPD_TIMER": "retry"}
    assert record.filename == "test_trace.py"


class Costly:
    """A value that must not be shown."""

    def __format__(self, _: str) -> str:
        raise AssertionError


def test_without_debug_an_event_costs_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """At level info the values are not even formatted."""
    with caplog.at_level(logging.INFO):
        trace(LOG, Event.READ_FULL, reason=Costly())
    assert not caplog.records
