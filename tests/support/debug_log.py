"""The debug log as tests read it: the lines and the journal fields of an event."""

from collections.abc import Iterable
from logging import LogRecord

from lunmapd.core.base.events import Event


def lines(records: Iterable[LogRecord], event: Event) -> list[str]:
    """Return the lines of an event, in order."""
    return [record.getMessage() for record in records if vars(record).get("LUNMAPD_EVENT") == event.name]


def values(records: Iterable[LogRecord], event: Event, field: str) -> list[str]:
    """Return one field of an event each time that it was logged."""
    found = (vars(record) for record in records if vars(record).get("LUNMAPD_EVENT") == event.name)
    return [record[f"LUNMAPD_{field.upper()}"] for record in found]
