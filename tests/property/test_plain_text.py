"""libyaml and PyYAML's own parser read the same values from a text."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from lunmapd.core.base.errors import Place
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.map import mapfile
from lunmapd.core.map.mapfile import show_map
from lunmapd.core.map.plain_text import NotPlainError, lines_of, read_plain
from lunmapd.core.map.source import YamlSource
from support.strategies import lunmaps

_PIECES = (
    *(
        "a",
        "luns",
        "~",
        "null",
        "0x1f",
        "1e3",
        "yes",
        "<<",
        "=",
        "x y",
        "é",
        "\U0001f600",
        "'",
        '"',
        "''",
        "\\",
        "\\n",
    ),
    *(
        "\n",
        "\n",
        "\n  ",
        "\n  ",
        "\n    ",
        " ",
        "  ",
        "\n\n",
        "\n---\n",
        "\n...\n",
        "%YAML 1.1\n",
        "\\u00e9",
        "\\x41",
    ),
    *(
        ": ",
        ": ",
        ":",
        "- ",
        "- ",
        "-",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ",",
        "#",
        " # x",
        "&a ",
        "*a",
        "!!str ",
        "! ",
    ),
    *(
        "|",
        ">",
        "|-",
        ">+",
        "|2",
        "@",
        "`",
        "\0",
        "\x7f",
        "\xa0",
        "\u3000",
        "\ud800",
        "k" * 1025,
        "/dev/vg/l7",
        "'off'",
    ),
)


def by_nodes(text: str) -> tuple[Any, dict[Place, int]]:
    """Return the values and lines of a text by PyYAML's own parser."""
    source = YamlSource(text, "m.yaml")
    return source._compose(), source._lines


def check(text: str) -> None:
    """Check that what libyaml reads is what PyYAML's parser reads."""
    try:
        value, lines = read_plain(text), lines_of(text)
    except NotPlainError:
        return
    assert (value, lines) == by_nodes(text)


@given(st.lists(st.sampled_from(_PIECES), max_size=25).map("".join))
@example("a: b\n")
def test_any_text_has_the_same_values(text: str) -> None:
    """Whatever stands in a text, libyaml reads what PyYAML's parser reads, or leaves the text to it."""
    check(text)


@given(lunmaps(), st.data())
def test_an_edited_map_file_has_the_same_values(lunmap: Lunmap, data: st.DataObject) -> None:
    """A map file in which a few characters are replaced is read alike by both."""
    text = show_map(lunmap)
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 3))
        text = text[:start] + data.draw(st.sampled_from(_PIECES)) + text[end:]
    check(text)


@given(lunmaps())
def test_a_map_file_is_written_and_read_by_libyaml(lunmap: Lunmap) -> None:
    """The text of a map is that of PyYAML's own writer, also in parts, and is left to no slower parser."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapfile, "_PART", 2)
        text = show_map(lunmap)
        patch.undo()
        patch.delattr(yaml, "CSafeDumper")
        assert text == show_map(lunmap)
    assert (read_plain(text), lines_of(text)) == by_nodes(text)
