"""The vocabulary of the debug log."""

from lunmapd.core.base.events import Event


def test_the_fields_of_an_event_are_the_names_in_its_line() -> None:
    """They are in order, and without the format of a number."""
    assert Event.PAUSED.fields == ("seconds", "timer")
    assert Event.PAUSED.line.format(seconds=2, timer="retry") == "waits at most 2.0 s, until retry"
