"""The documents name every word that a node or lunmapctl can say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.agent.loop.report import reason_of
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.fleet import path_state, status
from lunmapd.store.session import access_errors, errors
from lunmapd.store.session.errors import StoreError

SOURCES = "\n".join(path.read_text() for path in sorted(Path("lunmapd").rglob("*.py")))
ZNODES = Path("docs/znodes.md").read_text()
# These are raised by a commit or by what an admin asks for, or stand for others.
_NOT_WHILE_READING = {"Unheard", "AlreadyInitialised", "OlderSchema"}
# How one look at a part of LIO ended, which is then looked at as a whole.
_UNTOLD = {"Surprised"}


def named(text: str) -> set[str]:
    """Return the words that a text has in backquotes."""
    return set(re.findall(r"`(\w+)`", text))


def row(kind: str) -> str:
    """Return the row of a condition in the table of docs/znodes.md."""
    (found,) = re.findall(rf"^\| `{kind}`.*$", ZNODES, re.MULTILINE)
    text: str = found
    return text


def store_reasons() -> Iterator[str]:
    """Yield the reasons for which a tree can't be read."""
    for module in (errors, access_errors):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, StoreError) and kind is not StoreError:
                yield kind.__name__.removesuffix("Error")


@pytest.mark.parametrize(
    "kind",
    [
        status.STORE,
        status.FRESH,
        status.KEPT,
        status.UNEDITED,
        status.UNCONTESTED,
        status.OFFERED,
        status.APPLIED,
    ],
)
def test_each_condition_has_a_row(kind: str) -> None:
    """It says when the condition holds, and why it may not."""
    assert len(named(row(kind))) > 2


def test_each_reason_for_an_unreadable_tree_is_told() -> None:
    """No more and no less than what can happen."""
    told = named(row(status.STORE)) - {status.STORE, "Read"}
    assert told == set(store_reasons()) - _NOT_WHILE_READING


def test_each_reason_is_told() -> None:
    """Those of conditions, and those of objects that fail."""
    said = set(re.findall(r'(?:Failure|RefusedError)\(\s*"(\w+)"', SOURCES))
    said |= set(re.findall(r'\b(?:good|bad)\(\s*\w+,\s*"(\w+)"', SOURCES))
    said |= set(re.findall(r'^[A-Z_]+ = "([A-Z][a-z]+[A-Z]\w+)"$', SOURCES, re.MULTILINE))
    assert len(said) > 20
    assert said - named(ZNODES) == _UNTOLD


def test_each_state_of_a_path_is_told() -> None:
    """The words that are no reasons stand in a table."""
    told = named(Path("docs/monitoring.md").read_text())
    words = {
        path_state.OK,
        path_state.DEAD,
        path_state.SILENT,
        path_state.DRAINED,
        path_state.BEHIND,
        path_state.UNKNOWN,
    }
    assert words <= told


def test_an_error_gives_its_name_as_reason() -> None:
    """Without the word that every error has."""

    class SomethingError(LunmapdError):
        """An error."""

    assert reason_of(SomethingError()) == "Something"
