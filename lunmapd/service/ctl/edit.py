"""The verbs that make the tree and change the map."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click
from msgspec.structs import replace

from lunmapd.client import Client, InvalidInputError, Lunmap, Note, Problem, Proposal, Revision
from lunmapd.core.map import mapfile, rules
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.output import note_options, say_committed
from lunmapd.service.options import output_option

wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Wait until every live node has applied it.",
)


resume_option = click.option(
    "--resume", is_flag=True, help="Go on with a large commit that stopped in the middle, if there is one."
)


@click.command()
@click.option(
    "--acl",
    "closed",
    is_flag=True,
    help="Only for us, as whom we are known to the servers; see 'acl whoami'.",
)
@click.pass_obj
def init(connection: Connection, closed: bool) -> None:
    """Make an empty map in ZooKeeper, with a new cluster uuid. Without --acl it is open to everybody."""
    with connection.client() as client:
        cluster = client.initialise(closed=closed)
        click.echo(f"initialised {client.chroot}: cluster {cluster}, revision 0")


shrink_option = click.option(
    "--shrink",
    multiple=True,
    metavar="LUN",
    help="Let this Lun get smaller, though initiators lose what is at its end; may be given again.",
)


@click.command()
@click.option(
    "-f",
    "--file",
    "file",
    type=click.File("r", encoding="utf-8"),
    required=True,
    help="The whole map, as YAML; - for standard input.",
)
@note_options
@shrink_option
@click.option("-n", "--dry-run", is_flag=True, help="Say what would change, commit nothing.")
@resume_option
@wait_option
@output_option
@click.pass_obj
def apply(
    connection: Connection,
    file: TextIO,
    note: Note,
    shrink: tuple[str, ...],
    dry_run: bool,
    resume: bool,
    wait: float | None,
    output: str,
) -> None:
    """Make the map equal to FILE, in one commit; what FILE does not name is removed from the map.

    A Lun without a serial keeps the one it has, or gets a new one. An unchanged map makes no revision. A map that
    is too large for one transaction is written in parts, which the nodes see all at once, when all are there.
    """
    target, source = _read_file(file)
    note = replace(note, shrink=shrink)
    with connection.client() as client, _located(source.problem):
        if resume:
            revision = client.resume(target, note)
            say_committed(revision, (), output, "nothing to change")
            return _wait(client, revision, client.newest(), wait)
        proposal = client.propose(target, note)
        _warn(proposal.after, source.problem)
        revision = None if dry_run else client.apply(proposal, note)
        say_committed(revision, proposal.changes, output, _nothing(proposal, dry_run=dry_run))
        return None if dry_run else _wait(client, revision, proposal.before.revision, wait)


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


def _warn(lunmap: Lunmap, locate: Callable[..., Problem]) -> None:
    for warning in rules.warnings(lunmap):
        click.echo(f"lunmapctl: warning: {locate(warning.place, warning.message)}", err=True)


def _nothing(proposal: Proposal, *, dry_run: bool) -> str:
    if dry_run and proposal.changes:
        return "nothing was committed (dry run)"
    return f"nothing to change, the map is at revision {proposal.before.revision}"


def _wait(client: Client, revision: Revision | None, head: int, seconds: float | None) -> None:
    if seconds is not None:
        client.wait_applied(revision.revision if revision else head, seconds)


@click.command()
@click.argument("revision", type=click.IntRange(min=0))
@note_options
@shrink_option
@resume_option
@wait_option
@output_option
@click.pass_obj
def rollback(
    connection: Connection,
    revision: int,
    note: Note,
    shrink: tuple[str, ...],
    resume: bool,
    wait: float | None,
    output: str,
) -> None:
    """Commit the map as it was at REVISION, as a new revision on top.

    What a commit may not do, a rollback may not do either, such as giving a Lun another serial.
    """
    note = replace(note, shrink=shrink)
    with connection.client() as client:
        made = client.resume(client.map_at(revision), note) if resume else client.rollback(revision, note)
        head = client.newest()
        say_committed(made, (), output, f"nothing to change, the map is as at revision {revision}")
        _wait(client, made, head, wait)


@click.command()
@click.argument("revision", type=click.IntRange(min=1), required=False)
@click.option(
    "--rewound",
    is_flag=True,
    help="Also let nodes follow this tree although they knew a newer one, as after ZooKeeper's data were put back.",
)
@note_options
@output_option
@click.pass_obj
def confirm(connection: Connection, revision: int | None, rewound: bool, note: Note, output: str) -> None:
    """Let nodes carry out what the revisions up to REVISION remove, by default up to the newest.

    A node whose map would take away a large part of what it serves holds the whole map until this is said; so does
    every node after a restore.
    """
    if rewound and revision is not None:
        raise click.UsageError("--rewound confirms the tree as it is, so it takes no revision")
    with connection.client() as client:
        made = client.confirm_rewound(note) if rewound else client.confirm(revision, note)
        say_committed(made, (), output, "nothing to do, the removals are confirmed already")


@click.group("import")
def large() -> None:
    """Deal with a large commit that is written in parts and stopped in the middle."""


@large.command()
@note_options
@output_option
@click.pass_obj
def undo(connection: Connection, note: Note, output: str) -> None:
    """Undo the parts that are there, so that others can commit again; the nodes never saw them."""
    with connection.client() as client:
        say_committed(client.undo_import(note), (), output, "")
