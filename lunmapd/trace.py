"""The debug log: one line for each choice of the daemon, with its values as journal fields."""

import logging

from lunmapd.core.base.events import Event


def trace(log: logging.Logger, event: Event, /, **values: object) -> None:
    """Log one event at level debug; `values` are the fields of its line.

    LUNMAPD_EVENT and a field for each value are added to the record: `seconds=5` becomes LUNMAPD_SECONDS.
    Values that are costly to compute go behind `tracing`. A value must hold no secret: names, counts, times
    and reasons only.
    """
    if tracing(log):
        fields = {f"LUNMAPD_{name.upper()}": str(values[name]) for name in values}
        extra = {"LUNMAPD_EVENT": event.name, **fields}
        log.debug("%s", event.line.format_map(values), extra=extra, stacklevel=2)


def tracing(log: logging.Logger) -> bool:
    """Return whether events of this logger are logged."""
    return log.isEnabledFor(logging.DEBUG)
