"""Printing. Texts of the tree and of LIO were written by others: what is printed of them controls nothing.

No other module of the service prints (ruff: banned-api).
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator

import click
import msgspec

from lunmapd.core.base.text import printable, printable_json


def echo(*lines: str, err: bool = False) -> None:
    """Print lines; each stays one line, with control characters escaped."""
    if lines:
        click.echo("\n".join(map(printable, lines)), err=err)


def echo_painted(*lines: str) -> None:
    """Print lines, with colours on a terminal that has them: additions and removals, and what is dead."""
    if lines:
        click.echo("\n".join(_painted(lines)))


def has_colours() -> bool:
    """Return whether standard output is a terminal with colours, and NO_COLOR (no-color.org) is not set."""
    is_able = os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
    return is_able and sys.stdout.isatty()


_COLOURS = {"+ ": "green", "- ": "red", "~ ": "yellow"}
_DEAD = re.compile(r"\bDEAD\b")


def _painted(lines: Iterable[str]) -> Iterator[str]:
    shown = map(printable, lines)
    return map(_paint, shown) if has_colours() else shown


def _paint(line: str) -> str:
    if colour := _COLOURS.get(line[:2]):
        return click.style(line, fg=colour)
    return _DEAD.sub(lambda found: click.style(found[0], fg="red"), line)


def echo_paragraphs(*paragraphs: Iterable[str]) -> None:
    """Print the paragraphs that are not empty, each with its lines, with an empty line between two.

    They have the colours of `echo_painted`.
    """
    texts = ["\n".join(_painted(lines)) for lines in paragraphs]
    click.echo("\n\n".join(text for text in texts if text))


def echo_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(printable_json(msgspec.json.format(msgspec.json.encode(value)).decode()))
