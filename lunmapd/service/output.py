"""Printing. Texts of the tree and of LIO were written by others: what is printed of them controls nothing.

No other module of the service prints (ruff: banned-api).
"""

from collections.abc import Iterable

import click
import msgspec

from lunmapd.core.base.text import printable, printable_json


def echo(*lines: str, err: bool = False) -> None:
    """Print lines; each stays one line, whatever is in it."""
    if lines:
        click.echo("\n".join(map(printable, lines)), err=err)


def echo_paragraphs(*paragraphs: Iterable[str]) -> None:
    """Print the paragraphs that are not empty, each with its lines, with an empty line between two."""
    texts = ["\n".join(map(printable, lines)) for lines in paragraphs]
    click.echo("\n\n".join(text for text in texts if text))


def echo_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(printable_json(msgspec.json.format(msgspec.json.encode(value)).decode()))
