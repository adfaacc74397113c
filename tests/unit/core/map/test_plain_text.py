"""Which texts libyaml reads, and which are left to PyYAML's own parser."""

import pytest
import yaml

from lunmapd.core.map.mapfile import parse_map
from lunmapd.core.map.plain_text import NotPlainError, lines_of, read_plain


def test_a_plain_text_has_values_and_lines() -> None:
    """Scalars are text, empty ones None; a key has its own line, an item that of its start."""
    text = "a: 12\nb:\n  - x\n  - {c: '', d: ~, e: }\nf: 'null'\n"
    assert read_plain(text) == {"a": "12", "b": ["x", {"c": "", "d": None, "e": None}], "f": "null"}
    lines = lines_of(text)
    assert (lines[()], lines["a",], lines["b",], lines["b", 0], lines["b", 1], lines["b", 1, "e"]) == (
        *(1, 1, 2, 3, 4, 4),
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing", "a: [", "--- 1\n--- 2", "a: &x 1", "a: *x", "&x a: 1", "a: !!str 1", "a: 1\na: 2"),
        *("[a]: 1", "a: |\n  b", "a:\t1", "a: '?'", "\ud800", "[" * 3000 + "]" * 3000),
    ],
    ids=repr,
)
def test_any_other_text_is_left_to_pyyaml(text: str) -> None:
    """A text with an error, or with more than values, is refused."""
    with pytest.raises(NotPlainError):
        read_plain(text)


def test_libyaml_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML can be built without libyaml; then its own parser reads each text."""
    monkeypatch.delattr(yaml, "CSafeLoader")
    with pytest.raises(NotPlainError):
        read_plain("a: 1")
    lunmap, source = parse_map("nodes:\n  n1: {tpg_tag: 7}\n")
    assert lunmap.nodes["n1"].tpg_tag == 7
    assert source.problem(("nodes", "n1", "tpg_tag"), "no").source == "lunmap.yaml:2"


def test_a_problem_of_an_empty_text_is_in_its_first_line() -> None:
    """What an empty file lacks has a line too."""
    _, source = parse_map("# nothing\n")
    assert source.problem(("nodes",), "no").source == "lunmap.yaml:1"
