"""The verbs that make the tree and change the map."""

import getpass
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

import click
from msgspec import Struct

from lunmapd.core import mapfile
from lunmapd.core.changes import diff
from lunmapd.core.errors import InvalidInputError, Problem
from lunmapd.core.identity import with_identity
from lunmapd.core.lunmap import Lunmap
from lunmapd.service import tables
from lunmapd.service.ctl.fleet import wait_applied
from lunmapd.service.ctl.group import Connection
from lunmapd.service.ctl.output import echo_json, output_option
from lunmapd.store.commit import Terms, by_the_rules, commit
from lunmapd.store.draft import Signature
from lunmapd.store.init import initialise
from lunmapd.store.read import read_all


@click.command()
@click.pass_obj
def init(connection: Connection) -> None:
    """Make an empty map in ZooKeeper, with a new cluster uuid."""
    with connection.session() as session:
        cluster = initialise(session)
        click.echo(f"initialised {session.root}: cluster {cluster}, revision 0")


class Applied(Struct, frozen=True):
    """What `apply -o json` prints: `revision` is None when nothing changed."""

    revision: int | None
    changes: list[str]


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    type=click.File("r", encoding="utf-8"),
    required=True,
    help="The whole map, as YAML; - for standard input.",
)
@click.option("-m", "--message", default="", help="Why, for the log.")
@click.option("--author", default=None, help="Who, for the log.  [default: user@host]")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, commit nothing.")
@click.option(
    "--expect-revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="Commit nothing unless the map is at this revision.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait until every live node has applied it.",
)
@output_option
@click.pass_obj
def apply(
    connection: Connection,
    file: TextIO,
    message: str,
    author: str | None,
    dry_run: bool,
    expect_revision: int | None,
    wait: float | None,
    output: str,
) -> None:
    """Make the map equal to FILE, in one commit; what FILE does not name is removed from the map.

    A Lun without a serial keeps the one it has, or gets a new one. An unchanged map makes no revision.
    """
    after, source = _read_file(file)
    signature = Signature(author or _author(), message, datetime.now(UTC))
    with connection.session() as session, _located(source.problem):
        before = read_all(session)
        after = with_identity(after, before.lunmap, lambda: uuid.uuid4().hex)
        changes = tables.change_lines(diff(before.lunmap, after))
        number = None
        if dry_run:
            _check(before.lunmap, after)
        elif revision := commit(session, before, after, Terms(signature, by_the_rules, expect_revision)):
            number = revision.revision
        _say_applied(Applied(number, changes), before.revision, output, dry_run=dry_run)
        if wait is not None and not dry_run:
            wait_applied(session, number or before.revision, wait)


def _read_file(file: TextIO) -> tuple[Lunmap, Any]:
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise InvalidInputError([Problem((), f"not UTF-8: {error.reason}", file.name)]) from None
    return mapfile.parse(text, file.name)


@contextmanager
def _located(locate: Callable[..., Problem]) -> Iterator[None]:
    """Give the problems of a map the lines of its file."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError(
            [locate(problem.place, problem.message) for problem in error.problems]
        ) from None


def _check(before: Lunmap, after: Lunmap) -> None:
    if found := by_the_rules(before, after):
        raise InvalidInputError(found)


def _author() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _say_applied(applied: Applied, head: int, output: str, *, dry_run: bool) -> None:
    if output == "json":
        return echo_json(applied)
    for line in applied.changes:
        click.echo(line)
    if applied.revision is not None:
        return click.echo(f"committed revision {applied.revision}")
    return click.echo(
        "nothing was committed (dry run)"
        if dry_run and applied.changes
        else f"nothing to change, the map is at revision {head}"
    )
