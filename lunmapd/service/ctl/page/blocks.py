"""The parts of which every page is made. They have texts and links, and know neither HTML nor the cluster."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote, urlencode

from lunmapd.service.table import Table

PER_PAGE = 100
"""The rows of a list on one page."""
_SHORT = 20


class Mood(StrEnum):
    """The colour of a text, which repeats what the words of the text state."""

    PLAIN = ""
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class Cell(NamedTuple):
    """A text with a link or a mood. `command` is a part of it that can be copied as a whole, "" for none."""

    text: str
    link: str = ""
    mood: Mood = Mood.PLAIN
    command: str = ""

    @property
    def is_short(self) -> bool:
        """Whether it fits on a line of its own, and is not wrapped."""
        return len(self.text) <= _SHORT

    @property
    def around(self) -> tuple[str, str]:
        """The words before and after the command."""
        before, _, after = self.text.partition(self.command)
        return before, after


class PageTable(NamedTuple):
    """A table with a caption; without rows the sentence `empty` is shown. `note` follows the table."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "none"
    note: str = ""

    @property
    def kind(self) -> str:
        """The macro of the template that shows it."""
        return "table"


class Sentences(NamedTuple):
    """A list of sentences under a heading."""

    caption: str
    items: Sequence[Cell]

    @property
    def kind(self) -> str:
        """The macro of the template that shows it."""
        return "list"


class Command(NamedTuple):
    """A command that shows or does what a page is about."""

    does: str
    line: str


class Search(NamedTuple):
    """The form that filters a list; `kept` are the other values of the query."""

    action: str
    text: str
    kept: Mapping[str, str]


class Turn(NamedTuple):
    """The place within a list of several pages, and the links to its neighbours, "" at an end."""

    text: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        """The macro of the template that shows it."""
        return "turn"


PagePart = PageTable | Sentences | Turn


class WebPage(NamedTuple):
    """A page: its title, one sentence about what is wrong, facts that are no problem, and its parts."""

    title: str
    sentence: Cell
    facts: str = ""
    parts: Sequence[PagePart] = ()
    commands: Sequence[Command] = ()
    search: Search | None = None


class Query(NamedTuple):
    """What a reader chose by the query string: a text to look for, a page from 1, and seconds between loads.

    With `every` 0 a browser does not load a page again by itself.
    """

    text: str = ""
    page: int = 1
    every: int = 0

    @property
    def kept(self) -> dict[str, str]:
        """The values that every link keeps."""
        return {"every": str(self.every)} if self.every else {}

    def link(self, *steps: str, text: str = "", page: int = 1) -> str:
        """Return the address of a page on this server, with these values of the query."""
        values = {"q": text} if text else {}
        values |= {"page": str(page)} if page > 1 else {}
        values |= self.kept
        path = "/" + "/".join(quote(step, safe="") for step in steps)
        return f"{path}?{urlencode(values)}" if values else path


def cells_of(table: Table) -> list[list[Cell]]:
    """Return the cells of a table for terminals."""
    return [[Cell(text) for text in texts] for texts in table.texts("-")]


def columns_of(table: Table) -> list[str]:
    """Return the headings of a table for terminals."""
    return [column.name for column in table.columns]


def has_text(words: Iterable[str], text: str) -> bool:
    """Return whether one of these words has a text, in upper or lower case."""
    wanted = text.casefold()
    return not wanted or any(wanted in word.casefold() for word in words)


def turn_of(count: int, query: Query, *steps: str) -> tuple[slice, Turn]:
    """Return the part of a list of `count` rows that a query chooses, and its place within the list.

    The list is at the address `steps`. A page behind the last one is the last one.
    """
    last = max(-(-count // PER_PAGE), 1)
    page = min(query.page, last)
    part = slice((page - 1) * PER_PAGE, min(page * PER_PAGE, count))
    chosen = f" with {query.text!r}" if query.text else ""
    place = f"{part.start + 1:,} to {part.stop:,} of " if last > 1 else ""
    turn = Turn(
        f"{place}{count:,}{chosen}",
        query.link(*steps, text=query.text, page=page - 1) if page > 1 else "",
        query.link(*steps, text=query.text, page=page + 1) if page < last else "",
    )
    return part, turn
