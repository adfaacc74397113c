"""The screen as lines, and what a key changes: nothing here knows the terminal."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from lunmapd.service.table import shorten

MIN_ROWS, MIN_COLUMNS = 6, 20
_KEYS = "n nodes  l Luns  h hosts  Enter explain  / filter  q quit"
_KEYS_NARROW = "n l h lists  Enter explain  q quit"
_KEYS_BELOW = "Esc back  up/down scroll  q quit"


class Page(StrEnum):
    """The lists, by the key that shows them."""

    NODES = "n"
    LUNS = "l"
    HOSTS = "h"


TITLES = {Page.NODES: "nodes", Page.LUNS: "Luns", Page.HOSTS: "hosts"}


class Style(StrEnum):
    """The look of a line."""

    PLAIN = "plain"
    TITLE = "title"
    BAD = "bad"
    SELECTED = "selected"


class Line(NamedTuple):
    """A line of the screen."""

    text: str
    style: Style = Style.PLAIN


class Row(NamedTuple):
    """A line of a list: the object that `explain` takes, and its text."""

    word: str
    text: str


class ScreenContent(NamedTuple):
    """What is known of the cluster: two lines of a title, a list with its heading, and problems.

    `error` says why ZooKeeper could not be read; the rest is then as it was before. `explained` are the lines
    about one object.
    """

    title: str
    sums: str
    heading: str
    rows: Sequence[Row]
    problems: Sequence[str] = ()
    error: str = ""
    explained: Sequence[str] = ()


class Size(NamedTuple):
    """The size of the terminal."""

    rows: int
    columns: int


class State(NamedTuple):
    """What the keys have chosen.

    `selected` is the object under the cursor, `explained` the one that is explained, "" for none; `scroll` is
    the first line of its explanation that is shown.
    """

    page: Page = Page.NODES
    selected: str = ""
    filter: str = ""
    is_typing: bool = False
    explained: str = ""
    scroll: int = 0
    is_done: bool = False


def matching(rows: Sequence[Row], text: str) -> list[Row]:
    """Return the rows that have a text, in upper or lower case."""
    wanted = text.casefold()
    return [row for row in rows if wanted in row.text.casefold() or wanted in row.word.casefold()]


def press(state: State, key: str, rows: Sequence[Row], height: int) -> State:
    """Return the state after a key: a character, or the name of another key, such as `up`.

    `rows` are those that match the filter, `height` is the number of lines that a page has.
    """
    if state.is_done:
        return state
    if state.is_typing:
        return _type(state, key)
    if key == "q":
        return state._replace(is_done=True)
    return _scroll(state, key, height) if state.explained else _choose(state, key, rows, height)


def _choose(state: State, key: str, rows: Sequence[Row], height: int) -> State:
    match key:
        case "n" | "l" | "h":
            return State(Page(key))
        case "/":
            return state._replace(is_typing=True)
        case "escape":
            return state._replace(filter="")
        case "enter" if rows:
            return state._replace(explained=rows[_index(state, rows)].word, scroll=0)
        case _:
            return _move(state, key, rows, height)


def _type(state: State, key: str) -> State:
    match key:
        case "enter":
            return state._replace(is_typing=False)
        case "escape":
            return state._replace(is_typing=False, filter="")
        case "backspace":
            return state._replace(filter=state.filter[:-1])
        case _:
            return state._replace(filter=state.filter + key) if len(key) == 1 else state


_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1}


def _step(key: str, height: int, length: int) -> int:
    """Return how far a key moves in a list of this length."""
    pages = {"pageup": -height, "pagedown": height, "home": -length, "end": length}
    return {**_STEPS, **pages}.get(key, 0)


def _scroll(state: State, key: str, height: int) -> State:
    if key == "escape":
        return state._replace(explained="", scroll=0)
    return state._replace(scroll=max(state.scroll + _step(key, height, state.scroll or height), 0))


def _move(state: State, key: str, rows: Sequence[Row], height: int) -> State:
    if not rows:
        return state
    index = _index(state, rows) + _step(key, height, len(rows))
    return state._replace(selected=rows[min(max(index, 0), len(rows) - 1)].word)


def _index(state: State, rows: Sequence[Row]) -> int:
    """Return the row under the cursor; the first one if its object is gone."""
    return next((index for index, row in enumerate(rows) if row.word == state.selected), 0)


def list_height(size: Size, problems: int) -> int:
    """Return the number of rows of a list that the screen has room for."""
    return max(size.rows - 4 - _shown_problems(size, problems), 1)


def _shown_problems(size: Size, problems: int) -> int:
    return min(problems, size.rows // 4)


def draw(state: State, content: ScreenContent, size: Size) -> list[Line]:
    """Return the lines of the screen, at most as many as it has rows, none wider than it."""
    top = [Line(content.title, Style.TITLE)]
    top.append(Line(content.error, Style.BAD) if content.error else Line(content.sums))
    lines = [*top, *(_explanation if state.explained else _list)(state, content, size)]
    return [Line(shorten(line.text, size.columns), line.style) for line in lines[: size.rows]]


def _explanation(state: State, content: ScreenContent, size: Size) -> list[Line]:
    height = max(size.rows - 3, 1)
    first = min(state.scroll, max(len(content.explained) - height, 0))
    body = [Line(text) for text in content.explained[first : first + height]]
    return [*body, *[Line("")] * (height - len(body)), Line(_KEYS_BELOW, Style.TITLE)]


def _list(state: State, content: ScreenContent, size: Size) -> list[Line]:
    rows = matching(content.rows, state.filter)
    problems = content.problems[: _shown_problems(size, len(content.problems))]
    height = list_height(size, len(content.problems))
    index = _index(state, rows)
    first = max(min(index - height // 2, len(rows) - height), 0)
    body = [
        Line(row.text, Style.SELECTED if number == index else Style.PLAIN)
        for number, row in enumerate(rows[first : first + height], first)
    ]
    more = len(content.problems) - len(problems)
    bad = [Line(f"! {text}", Style.BAD) for text in problems]
    if more and bad:
        bad[-1] = Line(f"! and {more + 1} more problems: lunmapctl status", Style.BAD)
    return [
        Line(content.heading, Style.TITLE),
        *body,
        *[Line("")] * (height - len(body)),
        *bad,
        Line(_footer(state, len(rows), len(content.rows), size.columns), Style.TITLE),
    ]


def _footer(state: State, shown: int, every: int, columns: int) -> str:
    if state.is_typing:
        return f"/{state.filter}_"
    count = f"{shown} of {every} {TITLES[state.page]} with '{state.filter}'  " if state.filter else ""
    return count + (_KEYS if len(count + _KEYS) <= columns else _KEYS_NARROW)
