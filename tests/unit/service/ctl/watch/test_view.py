"""What keys do, and what fits on the screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.service.ctl.watch.view import (
    Page,
    Row,
    ScreenContent,
    Size,
    State,
    Style,
    draw,
    list_height,
    matching,
    press,
)

ROWS = tuple(Row(f"luns/db{number}", f"db{number}  1 GiB") for number in range(100))
CONTENT = ScreenContent("title", "sums", "LUN  SIZE", ROWS, tuple(f"problem {n}" for n in range(30)))
SCREEN = Size(24, 79)
KEYS = ["up", "down", "pageup", "pagedown", "home", "end", "enter", "escape", "backspace", *"nlhq/xyjk"]


def typed(state: State, *keys: str, rows: tuple[Row, ...] = ROWS) -> State:
    """Return the state after some keys."""
    for key in keys:
        state = press(state, key, matching(rows, state.filter), 10)
    return state


@given(
    st.lists(st.sampled_from(KEYS), max_size=12),
    st.integers(1, 40),
    st.integers(1, 120),
    st.sampled_from([(), ROWS[:3], ROWS]),
    st.integers(0, 30),
)
def test_every_state_fits_every_screen(
    keys: list[str], rows: int, columns: int, listed: tuple[Row, ...], problems: int
) -> None:
    """Whatever was typed: no line is wider than the screen, and there are no more than it has."""
    state = typed(State(), *keys, rows=listed)
    content = CONTENT._replace(
        rows=listed, problems=CONTENT.problems[:problems], explained=("long " * 50,) * 50
    )
    lines = draw(state, content, Size(rows, columns))
    assert len(lines) <= rows
    assert all(len(line.text) <= max(columns, 3) for line in lines)
    if rows >= 6:
        assert len(lines) == rows
        assert lines[-1].style is Style.TITLE


def selected(state: State) -> str:
    """Return the line under the cursor."""
    (line,) = [line for line in draw(state, CONTENT, SCREEN) if line.style is Style.SELECTED]
    return line.text


def test_the_cursor_stays_on_the_screen_and_in_the_list() -> None:
    """It moves by lines and by pages, and stops at both ends."""
    assert selected(State()) == "db0  1 GiB"
    assert selected(typed(State(), "up")) == "db0  1 GiB"
    assert selected(typed(State(), "down", "j", "k")) == "db1  1 GiB"
    assert selected(typed(State(), "pagedown", "pagedown")) == "db20  1 GiB"
    assert selected(typed(State(), "end", "down", "pageup")) == "db89  1 GiB"
    assert selected(typed(State(), "end", "home")) == "db0  1 GiB"


def test_the_cursor_stays_with_its_object() -> None:
    """A list that gets another first row moves it; an object that is gone leaves it at the first."""
    state = typed(State(), "down")
    more = CONTENT._replace(rows=(Row("luns/a", "a"), *ROWS))
    assert [line.text for line in draw(state, more, SCREEN) if line.style is Style.SELECTED] == ["db1  1 GiB"]
    less = CONTENT._replace(rows=ROWS[5:])
    assert [line.text for line in draw(state, less, SCREEN) if line.style is Style.SELECTED] == ["db5  1 GiB"]


def test_a_filter_is_typed_shown_and_left() -> None:
    """Keys of the screen are letters in it, Enter keeps it, Esc and another list drop it."""
    state = typed(State(), "/", "D", "x", "backspace", "down", "b", "9")
    assert (state.filter, state.is_typing) == ("Db9", True)
    assert draw(state, CONTENT, SCREEN)[-1].text == "/Db9_"
    state = typed(state, "enter")
    assert draw(state, CONTENT, SCREEN)[-1].text.startswith("11 of 100 nodes with 'Db9'  n l h lists")
    assert selected(typed(state, "down")) == "db90  1 GiB"
    assert typed(state, "escape").filter == ""
    assert typed(state, "h") == State(Page.HOSTS)
    assert typed(State(), "/", "q", "escape") == State()


def test_enter_explains_and_escape_leads_back_to_the_same_row() -> None:
    """The explanation can be scrolled, not above its first line, nor past its last page."""
    below = CONTENT._replace(explained=tuple(f"line {n}" for n in range(40)))
    state = typed(State(Page.LUNS), "down", "enter")
    assert (state.explained, draw(state, below, SCREEN)[2].text) == ("luns/db1", "line 0")
    assert draw(typed(state, "up", "down", "down"), below, SCREEN)[2].text == "line 2"
    assert draw(typed(state, *["pagedown"] * 9), below, SCREEN)[2].text == "line 19"
    assert typed(state, "pagedown", "home").scroll == 0
    assert typed(state, "pagedown", "escape") == typed(State(Page.LUNS), "down")
    assert typed(state, "q", "h").is_done
    assert typed(State(), "enter", rows=()) == State()


def test_problems_take_a_quarter_of_the_screen() -> None:
    """The last line counts those that have no room."""
    bad = [line.text for line in draw(State(), CONTENT, SCREEN) if line.style is Style.BAD]
    assert (len(bad), bad[0], bad[-1]) == (6, "! problem 0", "! and 25 more problems: lunmapctl status")
    assert list_height(SCREEN, 0) == 20
    assert list_height(Size(3, 20), 9) == 1


def test_an_error_takes_the_place_of_the_sums() -> None:
    """What was read before stays below it."""
    lines = draw(State(), CONTENT._replace(error="no server answers"), SCREEN)
    assert (lines[1].text, lines[1].style, lines[2].text) == ("no server answers", Style.BAD, "LUN  SIZE")


@pytest.mark.parametrize("key", ["left", "\x00", "Ä"])
def test_a_key_without_a_meaning_changes_nothing_to_be_seen(key: str) -> None:
    """The cursor stays where it is."""
    assert selected(typed(State(), "down", key)) == "db1  1 GiB"
