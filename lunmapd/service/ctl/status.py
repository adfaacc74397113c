"""The verb that looks at the nodes and at the paths through them."""

import sys
import time

import click

from lunmapd.client import Client, Fleet
from lunmapd.core.base.errors import Exit
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.node_lines import nodes_table
from lunmapd.service.ctl.output import echo_json
from lunmapd.service.ctl.path_lines import paths_table
from lunmapd.service.ctl.summary import FleetStatus, all_well, notes_of, problems_of, summary, without_clock
from lunmapd.service.options import output_option
from lunmapd.store.session.errors import StoreError


@click.command()
@click.option("--luns", is_flag=True, help="Show the paths of each Lun, too, and who is logged in.")
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
def status(connection: Connection, luns: bool, output: str, watch: float | None) -> None:
    """Show which nodes live, how far each has followed the map, what fails, and which Luns lack paths.

    Exit code 6 unless all is well. LAG compares the clock of this machine with that of whoever committed.
    """
    with connection.client() as client:
        found = (
            _once(client, output, luns=luns) if watch is None else _watch(client, output, watch, luns=luns)
        )
    if found is None or not all_well(found):
        sys.exit(Exit.DEGRADED)


def _once(client: Client, output: str, *, luns: bool) -> FleetStatus:
    found = summary(client.fleet(), luns=luns)
    _print(found, output)
    return found


def _watch(client: Client, output: str, every: float, *, luns: bool) -> FleetStatus | None:
    """Print until Ctrl-C; returns the last that was seen, None when ZooKeeper did not answer then."""
    fleet: Fleet | None = None
    shown: object = None
    found: FleetStatus | None = None
    screen = output != "json" and sys.stdout.isatty()
    try:
        while True:
            try:
                fleet = client.fleet(fleet)
                found = summary(fleet, luns=luns)
                now: object = without_clock(found)
            except StoreError as error:
                found, now = None, str(error)
            if screen:
                click.clear()
            if screen or now != shown:
                _print(found or now, output)
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


def _echo_status(found: FleetStatus) -> None:
    parts = [f"cluster {found.cluster}, revision {found.revision}", nodes_table(found.nodes)]
    if found.luns is not None:
        parts.append(paths_table(found.luns))
    parts += ["\n".join(lines) for lines in (problems_of(found), _noted(found)) if lines]
    click.echo("\n\n".join(parts))


def _noted(found: FleetStatus) -> list[str]:
    return [f"note: {note}" for note in notes_of(found)]
