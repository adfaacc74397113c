"""The verb that looks at the nodes, and the waiting for them."""

import sys
import time

import click
from msgspec import Struct

from lunmapd.core.errors import Exit, LunmapdError
from lunmapd.core.status import Standing
from lunmapd.service import tables
from lunmapd.service.ctl.group import Connection
from lunmapd.service.ctl.output import echo_json, output_option
from lunmapd.store.node import FleetNode, read_fleet
from lunmapd.store.read import read_all
from lunmapd.store.session import Session
from lunmapd.store.snapshot import Snapshot

_POLL = 0.2


class NotConvergedError(LunmapdError):
    """The nodes did not follow in time."""

    exit_code = Exit.DEGRADED


def wait_applied(session: Session, revision: int, seconds: float) -> None:
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


class FleetStatus(Struct, frozen=True):
    """What `status -o json` prints."""

    cluster: str
    revision: int
    digest: str
    nodes: list[tables.NodeLine]
    unreadable: dict[str, str]


@click.command()
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
        echo_json(found)
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
