"""The verb that looks at the nodes."""

import sys
import time
from datetime import UTC, datetime

import click
from msgspec import Struct

from lunmapd.client import Client, Fleet
from lunmapd.core.changes import Staged
from lunmapd.core.errors import Exit
from lunmapd.core.status import Standing
from lunmapd.service import tables
from lunmapd.service.ctl.group import Connection
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.options import output_option
from lunmapd.store.errors import StoreError


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
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(0.1, 3600),
    is_flag=False,
    flag_value=2.0,
    metavar="SECONDS",
    help="Look again and again, by default every 2 seconds, until Ctrl-C; not on a terminal, print what changes.",
)
@click.pass_obj
def status(connection: Connection, output: str, watch: float | None) -> None:
    """Show which nodes live, which revision each has applied, and what fails. Exit code 6 unless all is well."""
    with connection.client() as client:
        found = _once(client, output) if watch is None else _watch(client, output, watch)
    if found is None or not all_well(found):
        sys.exit(Exit.DEGRADED)


def _once(client: Client, output: str) -> FleetStatus:
    found = summary(client.fleet())
    _print(found, output)
    return found


def _watch(client: Client, output: str, every: float) -> FleetStatus | None:
    """Print until Ctrl-C; returns the last that was seen, None when ZooKeeper did not answer then."""
    fleet: Fleet | None = None
    shown: object = None
    found: FleetStatus | None = None
    screen = output != "json" and sys.stdout.isatty()
    try:
        while True:
            try:
                fleet = client.fleet(fleet)
                found = summary(fleet)
                now: object = found
            except StoreError as error:
                found, now = None, str(error)
            if screen:
                click.clear()
            if screen or now != shown:
                _print(now, output)
            shown = now
            time.sleep(every)
    except KeyboardInterrupt:
        return found


def _print(found: object, output: str) -> None:
    if not isinstance(found, FleetStatus):
        click.echo(f"lunmapctl: {found}", err=True)
    elif output == "json":
        echo_json(found)
    else:
        _echo_status(found)


def summary(fleet: Fleet) -> FleetStatus:
    """Sum up what was read."""
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
    if problems := problems_of(found):
        click.echo("\n" + "\n".join(problems))


def problems_of(found: FleetStatus) -> list[str]:
    """Say everything that is wrong, one sentence each."""
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
    return problems


def all_well(found: FleetStatus) -> bool:
    """Tell whether nothing is wrong anywhere."""
    return (
        not found.unreadable
        and not found.staged
        and all(
            line.alive and line.standing is Standing.CONVERGED and line.applied == found.revision
            for line in found.nodes
        )
    )
