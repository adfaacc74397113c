"""The verb that looks at the nodes."""

import sys
from datetime import UTC, datetime

import click
from msgspec import Struct

from lunmapd.client import Fleet
from lunmapd.core.changes import Staged
from lunmapd.core.errors import Exit
from lunmapd.core.status import Standing
from lunmapd.service import tables
from lunmapd.service.ctl.group import Connection
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.options import output_option


class FleetStatus(Struct, frozen=True):
    """What `status -o json` prints."""

    cluster: str
    revision: int
    digest: str
    nodes: list[tables.NodeLine]
    unreadable: dict[str, str]
    staged: Staged | None = None
    edited: tuple[str, ...] = ()


@click.command()
@output_option
@click.pass_obj
def status(connection: Connection, output: str) -> None:
    """Show which nodes live, which revision each has applied, and what fails. Exit code 6 unless all is well."""
    with connection.client() as client:
        found = _summary(client.fleet())
    if output == "json":
        echo_json(found)
    else:
        _echo_status(found)
    if not _all_well(found):
        sys.exit(Exit.DEGRADED)


def _summary(fleet: Fleet) -> FleetStatus:
    snapshot, now = fleet.snapshot, datetime.now(UTC)
    lines = [tables.node_line(name, node, now) for name, node in fleet.nodes.items()]
    return FleetStatus(
        snapshot.cluster,
        snapshot.revision,
        snapshot.digest,
        lines,
        dict(snapshot.unreadable),
        snapshot.staged,
        tuple(snapshot.edited),
    )


def _echo_status(found: FleetStatus) -> None:
    click.echo(f"cluster {found.cluster}, revision {found.revision}\n")
    click.echo(tables.status_table(found.nodes))
    problems = [f"{line.node}: {problem}" for line in found.nodes for problem in line.problems]
    problems += [f"{path}: {reason}" for path, reason in found.unreadable.items()]
    problems += [
        f"{path} was edited around the tools; see 'lunmapctl repair --dry-run'" for path in found.edited
    ]
    if found.staged:
        problems.append(
            f"a large commit by {found.staged.author} is under way, its last part is revision "
            f"{found.staged.revision} of {found.staged.time}"
        )
    if problems:
        click.echo("\n" + "\n".join(problems))


def _all_well(found: FleetStatus) -> bool:
    return (
        not found.unreadable
        and not found.staged
        and all(
            line.alive and line.standing is Standing.CONVERGED and line.applied == found.revision
            for line in found.nodes
        )
    )
