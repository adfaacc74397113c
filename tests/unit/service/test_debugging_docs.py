import re
from pathlib import Path

import pytest

from lunmapd.core.base.event_reasons import FullPass, FullRead, Timer, WakeCause
from lunmapd.core.base.events import Event

ROWS = dict(
    re.findall(r"^\| `([A-Z_]+)` \| `(.+?)` \| .*\|$", Path("docs/operations.md").read_text(), re.MULTILINE)
)
SOURCES = "\n".join(
    path.read_text() for path in sorted(Path("lunmapd").rglob("*.py")) if path.name != "events.py"
)


@pytest.mark.parametrize("event", Event)
def test_each_event_has_an_example_that_it_could_have_logged(event: Event) -> None:
    """The table of docs/operations.md has each event with an example of its line."""
    pattern = "".join(
        re.escape(part) if number % 2 == 0 else ".+"
        for number, part in enumerate(re.split(r"(\{[^}]*\})", event.line))
    )
    assert re.fullmatch(pattern, ROWS[event.name])


def test_the_table_has_no_other_event() -> None:
    """An event that is gone leaves the table."""
    assert ROWS.keys() <= {event.name for event in Event}


@pytest.mark.parametrize("word", [*Event, *FullPass, *FullRead, *Timer, *WakeCause])
def test_each_word_of_the_debug_log_is_used(word: Event | FullPass | FullRead | Timer | WakeCause) -> None:
    """No event and no reason is defined that nothing logs."""
    assert f"{type(word).__name__}.{word.name}" in SOURCES


def test_examples_give_reasons_that_exist() -> None:
    """Causes, timers and reasons of the examples exist in the code."""
    assert ROWS["FULL_RECONCILE"].partition(": ")[2] in set(FullPass)
    assert ROWS["READ_FULL"].partition(": ")[2] in set(FullRead)
    assert ROWS["PAUSED"].rpartition(" ")[2] in set(Timer)
    assert set(ROWS["WOKEN"].partition(": ")[2].split(", ")) <= set(WakeCause)
