"""What is printed: lines stay lines, and control characters are shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunmapd.core.base.errors import InvalidInputError, LunmapdError, Problem
from lunmapd.core.base.text import printable, printable_json
from lunmapd.service.output import echo, echo_json, echo_paragraphs
from lunmapd.service.table import table

ODD = "a\nb\x1b[2J"


@given(st.text())
def test_a_printable_text_has_no_control_characters(text: str) -> None:
    """Each character that is not printable is escaped, a printable text is unchanged."""
    shown = printable(text)
    assert shown.isprintable()
    assert (shown == text) == text.isprintable()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0, 9)))
def test_printable_json_is_the_same_json(value: dict[str, int]) -> None:
    """JSON keeps its meaning, and has no other control character than the ends of its lines."""
    text = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable()


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A line with a newline in it is one line, and no lines print nothing."""
    echo()
    echo(ODD, "c")
    echo_paragraphs(table(("A",), [(ODD,)]), [], [ODD])
    echo_json([ODD])
    assert capsys.readouterr().out.split("\n") == [
        r"a\nb\x1b[2J",
        "c",
        "A",
        r"a\nb\x1b[2J",
        "",
        r"a\nb\x1b[2J",
        "[",
        r'  "a\nb\u001b[2J"',
        "]",
        "",
    ]


def test_only_problems_are_several_lines() -> None:
    """An error is one line, except that each problem of a file has its own."""
    assert LunmapdError(ODD).lines == (ODD,)
    error = InvalidInputError([Problem(("luns",), ODD), Problem((), "second")])
    assert error.lines == (f"luns: {ODD}", "(top level): second")
