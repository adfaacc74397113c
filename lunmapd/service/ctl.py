"""`lunmapctl`: the admin's command line. It edits the map in ZooKeeper and never touches LIO."""

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec
from msgspec import Struct

from lunmapd import __version__
from lunmapd.core import mapfile, rules
from lunmapd.core.changes import diff
from lunmapd.core.errors import Exit, InvalidInputError, LunmapdError, Problem
from lunmapd.core.identity import with_identity
from lunmapd.core.lunmap import SECTIONS, Lunmap, Section
from lunmapd.core.status import Standing
from lunmapd.service import settings, tables
from lunmapd.service.author import default_author
from lunmapd.service.errors import reported
from lunmapd.service.secret_verbs import secret
from lunmapd.store.commit import commit, initialise
from lunmapd.store.draft import Signature
from lunmapd.store.node import FleetNode, read_fleet
from lunmapd.store.read import read_all
from lunmapd.store.session import Session
from lunmapd.store.snapshot import Snapshot

_POLL = 0.2
_TABLES: dict[str, Callable[[Lunmap], str]] = {
    "luns": tables.luns_table,
    "targets": tables.targets_table,
    "initiators": tables.initiators_table,
    "groups": tables.groups_table,
    "nodes": tables.nodes_table,
}

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people or for programs.",
)


class NotFoundError(LunmapdError):
    """There is no such object in the map."""


class NotConvergedError(LunmapdError):
    """The nodes did not follow in time."""

    exit_code = Exit.DEGRADED


class Connection(Struct, frozen=True):
    """How to reach the tree, from the options or from the settings file."""

    config: Path
    hosts: str | None
    chroot: str | None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session for one command."""
        with Session(*self._where()) as session:
            yield session

    def _where(self) -> tuple[str, str]:
        if self.hosts is not None:
            return self.hosts, self.chroot or "/lunmap"
        zookeeper = settings.load(self.config).zookeeper
        return ",".join(zookeeper.hosts), self.chroot or zookeeper.chroot


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lunmapctl")
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    default=settings.DEFAULT_PATH,
    show_default=True,
    help="Settings file that names the ensemble.",
)
@click.option(
    "--hosts",
    envvar="LUNMAPCTL_HOSTS",
    help="ZooKeeper servers, address:port,...; instead of the settings file.",
)
@click.option("--chroot", envvar="LUNMAPCTL_CHROOT", help="Where the cluster's tree is.  [default: /lunmap]")
@click.pass_context
def ctl(context: click.Context, config: Path, hosts: str | None, chroot: str | None) -> None:
    """Edit and watch the map of LUNs, targets and initiators that every storage node follows.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 invalid map, 4 conflict, 5 ZooKeeper unreachable, 6 degraded.
    """
    context.obj = Connection(config, hosts, chroot)


@ctl.command()
@click.pass_obj
def init(connection: Connection) -> None:
    """Make an empty map in ZooKeeper, with a new cluster uuid."""
    with connection.session() as session:
        cluster = initialise(session)
        click.echo(f"initialised {session.root}: cluster {cluster}, revision 0")


ctl.add_command(secret)


class Applied(Struct, frozen=True):
    """What `apply -o json` prints: `revision` is None when nothing changed."""

    revision: int | None
    changes: list[str]


@ctl.command()
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
    wait: float | None,
    output: str,
) -> None:
    """Make the map equal to FILE, in one commit; what FILE does not name is removed from the map.

    A Lun without a serial keeps the one it has, or gets a new one. An unchanged map makes no revision.
    """
    after, source = _read_file(file)
    with connection.session() as session:
        before = read_all(session)
        after = with_identity(after, before.lunmap, lambda: uuid.uuid4().hex)
        _check(before.lunmap, after, source.problem)
        changes = tables.change_lines(diff(before.lunmap, after))
        revision = None
        if (changes or before.edited_around) and not dry_run:
            revision = commit(
                session, before, after, Signature(author or default_author(), message, datetime.now(UTC))
            )
        number = revision.revision if revision is not None else None
        _say_applied(Applied(number, changes), before.revision, output, dry_run=dry_run)
        if wait is not None and not dry_run:
            _wait(session, number or before.revision, wait)


def _read_file(file: TextIO) -> tuple[Lunmap, Any]:
    try:
        text = file.read()
    except UnicodeDecodeError as error:
        raise InvalidInputError([Problem((), f"not UTF-8: {error.reason}", file.name)]) from None
    return mapfile.parse(text, file.name)


def _check(before: Lunmap, after: Lunmap, locate: Callable[..., Problem]) -> None:
    """Refuse what breaks a rule, and warn of what is likely to surprise, with the lines of the file."""
    found = [*rules.problems(after), *rules.change_problems(before, after)]
    if found:
        raise InvalidInputError([locate(problem.place, problem.message) for problem in found])
    for warning in rules.warnings(after):
        click.echo(f"lunmapctl: warning: {locate(warning.place, warning.message)}", err=True)


def _say_applied(applied: Applied, head: int, output: str, *, dry_run: bool) -> None:
    if output == "json":
        return _echo_json(applied)
    for line in applied.changes:
        click.echo(line)
    if applied.revision is not None:
        return click.echo(f"committed revision {applied.revision}")
    return click.echo(
        "nothing was committed (dry run)"
        if dry_run and applied.changes
        else f"nothing to change, the map is at revision {head}"
    )


def _wait(session: Session, revision: int, seconds: float) -> None:
    """Wait until every live node of the map has applied `revision`. Raises NotConvergedError."""
    until = time.monotonic() + seconds
    while True:
        lines = _lines(session, read_all(session))
        behind = [line.node for line in lines if line.alive and (line.applied or 0) < revision]
        if not behind:
            return
        if time.monotonic() >= until:
            raise NotConvergedError(
                f"after {seconds:g} seconds not at revision {revision}: {', '.join(behind)}; see 'lunmapctl status'"
            )
        time.sleep(_POLL)


@ctl.command()
@click.argument("section", type=click.Choice(list(SECTIONS)), required=False)
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "yaml", "json"]),
    help="[default: a table for a section, else yaml]",
)
@click.pass_obj
def get(connection: Connection, section: Section | None, name: str | None, output: str | None) -> None:
    """Print the whole map as a file for `apply`, one SECTION, or the object NAME of it."""
    with connection.session() as session:
        snapshot = read_all(session)
    for path, reason in snapshot.unreadable.items():
        click.echo(f"lunmapctl: warning: {path} can't be read: {reason}", err=True)
    found = _select(snapshot.lunmap, section, name)
    if output == "json":
        _echo_json({part: found.section(part) for part in SECTIONS if section in {None, part}})
    elif section is not None and (output == "table" or (output is None and name is None)):
        click.echo(_TABLES[section](found))
    elif output == "table":
        click.echo("\n\n".join(_TABLES[part](found) for part in SECTIONS))
    else:
        click.echo(mapfile.show(found, (section,) if section else tuple(SECTIONS)), nl=False)


def _select(lunmap: Lunmap, section: Section | None, name: str | None) -> Lunmap:
    if section is None or name is None:
        return lunmap
    members = lunmap.section(section)
    if name not in members:
        raise NotFoundError(f"there is no {name!r} among the {section}; 'lunmapctl get {section}' lists them")
    return msgspec.structs.replace(lunmap, **{section: {name: members[name]}})


class FleetStatus(Struct, frozen=True):
    """What `status -o json` prints."""

    cluster: str
    revision: int
    digest: str
    nodes: list[tables.NodeLine]
    unreadable: dict[str, str]


@ctl.command()
@output_option
@click.pass_obj
def status(connection: Connection, output: str) -> None:
    """Show which nodes live, which revision each has applied, and what fails. Exit code 6 unless all is well."""
    with connection.session() as session:
        snapshot = read_all(session)
        lines = _lines(session, snapshot)
    found = FleetStatus(
        snapshot.cluster, snapshot.revision, snapshot.digest, lines, dict(snapshot.unreadable)
    )
    if output == "json":
        _echo_json(found)
    else:
        _echo_status(found)
    if not _all_well(found):
        sys.exit(Exit.DEGRADED)


def _lines(session: Session, snapshot: Snapshot) -> list[tables.NodeLine]:
    fleet = read_fleet(session)
    names = sorted(snapshot.lunmap.nodes.keys() | fleet.keys())
    return [tables.node_line(name, fleet.get(name, FleetNode())) for name in names]


def _echo_status(found: FleetStatus) -> None:
    click.echo(f"cluster {found.cluster}, revision {found.revision}\n")
    click.echo(tables.status_table(found.nodes))
    problems = [f"{line.node}: {problem}" for line in found.nodes for problem in line.problems]
    problems += [f"{path}: {reason}" for path, reason in found.unreadable.items()]
    if problems:
        click.echo("\n" + "\n".join(problems))


def _all_well(found: FleetStatus) -> bool:
    return not found.unreadable and all(
        line.alive and line.standing is Standing.CONVERGED and line.applied == found.revision
        for line in found.nodes
    )


def _echo_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def main() -> None:
    """Run the command line; errors are one line each on standard error."""
    reported("lunmapctl", ctl)
