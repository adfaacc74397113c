"""The documents name every word that a node or lunmapctl can print."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.agent.loop.unexpected import UnexpectedReadError
from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.reasons import NOT_LISTED, Reason
from lunmapd.core.fleet import path_state, status
from lunmapd.store.session import access_errors
from lunmapd.store.session.errors import TreeError

ZNODES = Path("docs/znodes.md").read_text()
CONDITIONS = (
    status.STORE,
    status.FRESH,
    status.KEPT,
    status.UNEDITED,
    status.UNCONTESTED,
    status.OFFERED,
    status.RESERVATIONS,
    status.FLOATING_SERVED,
    status.APPLIED,
)


def named(text: str) -> set[str]:
    """Return the words that a text has in backquotes."""
    return set(re.findall(r"`(\w+)`", text))


def row(kind: str) -> str:
    """Return the row of a condition in the table of docs/znodes.md."""
    (found,) = re.findall(rf"^\| `{kind}`.*$", ZNODES, re.MULTILINE)
    text: str = found
    return text


def failing_rows() -> set[str]:
    """Return the reasons that have a row in the table of failing objects."""
    table = ZNODES[ZNODES.index("| reason of a failing object |") :]
    return set().union(*(named(first) for first in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)))


def reasons_of(kind: type[ConditionError]) -> Iterator[str]:
    """Yield the reasons of a class of errors and of those below it; one that groups others has none."""
    if "reason" in vars(kind):
        yield kind.reason
    for below in kind.__subclasses__():
        yield from reasons_of(below)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_each_condition_has_a_row(kind: str) -> None:
    """The row has the meaning of true, and the reasons for false."""
    assert len(named(row(kind))) > 2


def test_each_reason_for_an_unreadable_tree_is_told() -> None:
    """No more and no less than what can happen."""
    told = named(row(status.STORE)) - {status.STORE, "Read"}
    assert {access_errors.TlsFailedError.reason, UnexpectedReadError.reason} < told
    assert told == set(reasons_of(TreeError))


def test_each_reason_is_told() -> None:
    """The tables have the reasons of conditions and of failing objects, and no others."""
    told = failing_rows().union(*(named(row(kind)) - {kind} for kind in CONDITIONS))
    assert {word for word in told if word[0].isupper()} == set(Reason) - NOT_LISTED


def test_each_state_of_a_path_is_told() -> None:
    """The words that are no reasons are in a table."""
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
