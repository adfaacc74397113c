"""Tables for people: they fit the width of a terminal, and are whole in files and pipes."""

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.text import printable

_GAP = "  "
_MIN_CUT = 8
_CUT = "..."


class Column(Struct, frozen=True):
    """A column, whose cells `show` turns into text; None and "" are shown as a dash.

    Where the terminal is too narrow, the columns with the highest `drop` are left out first, those with 0
    never. If that is not enough, the cells of columns that are `cut` are shortened.
    """

    name: str
    drop: int = 0
    cut: bool = False
    show: Callable[[Any], str] = str


class Layout(Struct, frozen=True):
    """How tables are laid out: for a terminal of `width` columns, None for any; with full or short names."""

    width: int | None = None
    full_names: bool = True


UNFITTED = Layout()
"""Every column, every name in full: for files, pipes and `-o wide`."""


def terminal_layout(*, full_names: bool = False) -> Layout:
    """Return the layout for standard output: UNFITTED if it is no terminal."""
    if not sys.stdout.isatty():
        return UNFITTED
    import shutil  # noqa: PLC0415 - it imports modules for archives, a fortieth of the start of a verb

    return Layout(shutil.get_terminal_size().columns, full_names)


class Table(Struct, frozen=True):
    """A table; each row has a value for each column."""

    columns: tuple[Column, ...]
    rows: Sequence[Sequence[object]]

    def lines(self, layout: Layout = UNFITTED) -> list[str]:
        """Return the heading and a line for each row, none of which is wider than the layout if it can be."""
        cells = [[column.name for column in self.columns], *self.texts("-")]
        widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
        if layout.width is not None:
            widths = _fitted(self.columns, widths, layout.width)
        return [_line(row, widths) for row in cells]

    def markdown(self) -> list[str]:
        """Return the lines of a table in Markdown."""
        cells = [[text.replace("|", r"\|") for text in row] for row in self.texts("")]
        rows = [[column.name for column in self.columns], ["---"] * len(self.columns), *cells]
        return [f"| {' | '.join(row)} |" for row in rows]

    def csv(self) -> list[str]:
        """Return the lines of a table as CSV (RFC 4180): numbers as they are, nothing for None."""
        import csv  # noqa: PLC0415 - no other output needs it

        lines: list[str] = []
        columns = tuple(replace(column, show=_plain) for column in self.columns)
        plain = replace(self, columns=columns).texts("")
        writer = csv.writer(_Lines(lines.append), lineterminator="")
        writer.writerows([[column.name for column in self.columns], *plain])
        return lines

    def first_cells(self) -> list[str]:
        """Return the text of the first column, each once."""
        return list(dict.fromkeys(str(row[0]) for row in self.rows))

    def sorted_by(self, index: int, *, descending: bool = False) -> Self:
        """Return the table in the order of a column, numbers within texts by their value, None at the end."""
        there = [row for row in self.rows if row[index] not in {None, ""}]
        ordered = sorted(there, key=lambda row: _natural(row[index]), reverse=descending)
        return replace(self, rows=[*ordered, *(row for row in self.rows if row[index] in {None, ""})])

    def texts(self, nothing: str) -> list[list[str]]:
        """Return the printable text of each cell, `nothing` for None and ""."""
        return [
            [
                nothing if cell is None or cell == "" else printable(column.show(cell))
                for column, cell in zip(self.columns, row, strict=True)
            ]
            for row in self.rows
        ]


class _Lines(Struct, frozen=True):
    """What csv writes its rows to."""

    write: Callable[[str], object]


def _plain(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _natural(value: object) -> list[tuple[int, int, str]]:
    """Return a key that orders texts with numbers by their value: n2 before n10."""
    parts = re.split(r"(\d+)", _plain(value))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def table(
    headers: Sequence[str | Column], rows: Sequence[Sequence[object]], layout: Layout = UNFITTED
) -> list[str]:
    """Return the lines of a table."""
    columns = tuple(Column(each) if isinstance(each, str) else each for each in headers)
    return Table(columns, rows).lines(layout)


def display_width(text: str) -> int:
    """Return the number of columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width  # noqa: PLC0415 - a library, which most tables don't need

    return len(text) + sum(east_asian_width(char) in "WF" for char in text)


def _fitted(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Return the width of each column so that they fit `width`; 0 for a column that is left out."""
    for index in sorted(range(len(columns)), key=lambda index: (-columns[index].drop, -index)):
        if _total(widths) > width and columns[index].drop:
            widths = [*widths[:index], 0, *widths[index + 1 :]]
    while (over := _total(widths) - width) > 0:
        there = [index for index, column in enumerate(columns) if column.cut and widths[index] > _MIN_CUT]
        if not there:
            break
        widest, *others = sorted((widths[index] for index in there), reverse=True)
        least = max(widest - over, others[0] - 1 if others else 0, _MIN_CUT)
        widths[next(index for index in there if widths[index] == widest)] = least
    return widths


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + len(_GAP) * (len(shown) - 1)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [_padded(text, width) for text, width in zip(row, widths, strict=True) if width]
    return _GAP.join(cells).rstrip()


def _padded(text: str, width: int) -> str:
    if display_width(text) > width:
        text = shorten(text, width)
    return text + " " * (width - display_width(text))


def shorten(text: str, width: int) -> str:
    """Return the beginning of a text, with dots at the end, in at most `width` columns of a terminal."""
    if display_width(text) <= width:
        return text
    kept = text[: max(width - len(_CUT), 0)]
    while kept and display_width(kept) > width - len(_CUT):
        kept = kept[:-1]
    return kept + _CUT
