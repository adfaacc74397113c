"""Tables fit a terminal, and lose nothing in files and pipes."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.text import human_size
from lunmapd.service.table import UNFITTED, Column, Layout, Table, display_width, shorten, terminal_layout

COLUMNS = (
    Column("LUN"),
    Column("SIZE", drop=1, show=human_size),
    Column("TYPE", drop=2),
    Column("PATH", cut=True),
    Column("NODES", show=",".join),
)
ROWS = [
    ("db2", 3 << 30, "block", "/dev/volumes/database-2", ("n1", "n2")),
    ("db10", None, "file", "", ("n1",)),
]
LUNS = Table(COLUMNS, ROWS)


def test_a_table_is_whole_where_its_width_is_free() -> None:
    """Columns are two spaces apart, and nothing is a dash."""
    assert LUNS.lines() == [
        "LUN   SIZE   TYPE   PATH                     NODES",
        "db2   3 GiB  block  /dev/volumes/database-2  n1,n2",
        "db10  -      file   -                        n1",
    ]


@pytest.mark.parametrize(
    ("width", "heading", "path"),
    [
        (50, "LUN   SIZE   TYPE   PATH                     NODES", "database-2"),
        (49, "LUN   SIZE   PATH                     NODES", "database-2"),
        (42, "LUN   PATH                     NODES", "database-2"),
        (30, "LUN   PATH               NODES", "/dev/volumes/d..."),
        (5, "LUN   PATH      NODES", "/dev/..."),
    ],
)
def test_a_narrow_table_loses_columns_and_then_the_ends_of_cells(width: int, heading: str, path: str) -> None:
    """The column with the highest `drop` goes first; a cell keeps eight characters however narrow it is."""
    lines = LUNS.lines(Layout(width))
    assert lines[0] == heading
    assert path in lines[1]
    assert all(len(line) <= max(width, 21) for line in lines)


@given(st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=4), st.integers(20, 60))
def test_no_row_of_cut_columns_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    """Characters that take two columns, such as those of Chinese, and escaped ones are counted as shown."""
    table = Table((Column("A", cut=True), Column("B", cut=True)), rows)
    assert all(display_width(line) <= width for line in table.lines(Layout(width)))


def test_two_wide_cells_are_shortened_to_the_same_width() -> None:
    """The widest loses first, until it is as wide as the next one."""
    table = Table((Column("A", cut=True), Column("B", cut=True)), [("a" * 40, "b" * 30)])
    assert [len(cell) for cell in table.lines(Layout(52))[1].split()] == [25, 25]


def test_a_text_is_shortened_by_columns_of_the_terminal() -> None:
    """A character that takes two columns is not cut in half."""
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abc..."
    assert shorten("數據庫數據庫", 8) == "數據..."


def test_rows_are_sorted_by_value() -> None:
    """Numbers within names count by their value, what is unknown comes last in both directions."""
    assert [row[0] for row in LUNS.sorted_by(0).rows] == ["db2", "db10"]
    assert [row[0] for row in LUNS.sorted_by(0, descending=True).rows] == ["db10", "db2"]
    assert [row[0] for row in LUNS.sorted_by(1).rows] == ["db2", "db10"]
    assert [row[0] for row in LUNS.sorted_by(1, descending=True).rows] == ["db2", "db10"]


def test_csv_has_values_as_they_are() -> None:
    """A size is in bytes, a missing value empty, a list or a quote in quotes; a newline stays escaped."""
    odd = Table(COLUMNS, [*ROWS, ('a"b\n', 1, "x,y", "", ())])
    assert list(csv.reader(odd.csv())) == [
        ["LUN", "SIZE", "TYPE", "PATH", "NODES"],
        ["db2", str(3 << 30), "block", "/dev/volumes/database-2", "n1,n2"],
        ["db10", "", "file", "", "n1"],
        ['a"b\\n', "1", "x,y", "", ""],
    ]


def test_markdown_escapes_its_bars() -> None:
    """A cell with a bar stays one cell."""
    assert Table((Column("A"), Column("B")), [("x|y", None)]).markdown() == [
        "| A | B |",
        "| --- | --- |",
        r"| x\|y |  |",
    ]


def test_the_first_column_names_each_object_once() -> None:
    """An object with several rows is one name."""
    assert Table((Column("A"), Column("B")), [("x", 1), ("x", 2), ("y", 1)]).first_cells() == ["x", "y"]


def test_only_a_terminal_has_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets all columns and full names, a terminal its own width."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert terminal_layout() == UNFITTED
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_layout() == Layout(72, full_names=False)
    assert terminal_layout(full_names=True) == Layout(72, full_names=True)
