"""What the verbs share: options, and talking in tables for people or JSON for programs."""

import functools
from collections.abc import Callable

import click
import msgspec
from msgspec import Struct

from lunmapd.client import Change, Note, Revision, differences
from lunmapd.core.history.fields import Difference
from lunmapd.service.ctl.differences import difference_lines

closed_option = click.option(
    "--acl",
    "closed",
    is_flag=True,
    help="In an empty chroot: only for us, as whom the servers know us; see 'acl whoami'.",
)


def note_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every verb that commits; they arrive as `note`."""

    @click.option("-m", "--message", default="", help="Why, for the log.")
    @click.option("--author", default="", help="Who, for the log.  [default: user@host]")
    @click.option(
        "--expect-revision",
        type=click.IntRange(min=0),
        metavar="N",
        help="Commit nothing unless the map is at this revision.",
    )
    @functools.wraps(command)
    def wrapped(
        *args: object, message: str, author: str, expect_revision: int | None, **rest: object
    ) -> None:
        command(*args, note=Note(message, author, expect_revision), **rest)

    return wrapped


class Committed(Struct, frozen=True):
    """What a verb that commits prints with `-o json`: `revision` is None when nothing was committed."""

    revision: int | None
    changes: tuple[Difference, ...]


def say_committed(revision: Revision | None, changes: tuple[Change, ...], output: str, nothing: str) -> None:
    """Say what was committed, or `nothing`; `changes` are those that were asked for."""
    told = changes if revision is None or revision.part else revision.changes or changes
    made = differences(told)
    if output == "json":
        return echo_json(Committed(revision.revision if revision else None, made))
    for line in difference_lines(made, whole=False):
        click.echo(line)
    return click.echo(f"committed revision {revision.revision}" if revision else nothing)


def echo_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))
