"""`lunmapctl status`: the nodes, and the paths of each Lun."""

import sys
import time

import click

from lunmapd.client import Client, Fleet
from lunmapd.core.base.errors import Exit
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.text.layout import names_for, table_options
from lunmapd.service.ctl.text.node_lines import node_status_table
from lunmapd.service.ctl.text.path_lines import paths_table
from lunmapd.service.ctl.text.summary import (
    FleetStatus,
    all_well,
    notes_of,
    problems_of,
    summary,
    without_clock,
)
from lunmapd.service.output import echo, echo_json, echo_paragraphs
from lunmapd.service.table import Layout
from lunmapd.store.session.errors import StoreError


@click.command()
@click.option(
    "--luns", is_flag=True, help="Also show the paths of each Lun, and the initiators that are logged in."
)
@table_options
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(0.1, 3600),
    is_flag=False,
    flag_value=2.0,
    metavar="SECONDS",
    help="Repeat every SECONDS, by default 2, until Ctrl-C. Without a terminal, print only changes.",
)
@click.pass_obj
def status(connection: Connection, luns: bool, output: str, layout: Layout, watch: float | None) -> None:
    """Show the nodes, the revision that each has applied, failing objects, and Luns that lack paths.

    Exit code 6 if there is any problem. LAG compares the clocks of this machine and of the committing one.
    """
    with connection.client() as client:
        if watch is None:
            latest: FleetStatus | None = _once(client, output, layout, luns=luns)
        else:
            latest = _watch(client, output, layout, watch, luns=luns)
    if latest is None or not all_well(latest):
        sys.exit(Exit.DEGRADED)


def _once(client: Client, output: str, layout: Layout, *, luns: bool) -> FleetStatus:
    fleet = client.fleet()
    fleet_status = summary(fleet, luns=luns)
    _print(fleet_status, output, layout, names_for(fleet.snapshot.lunmap, layout))
    return fleet_status


def _watch(client: Client, output: str, layout: Layout, every: float, *, luns: bool) -> FleetStatus | None:
    """Print until Ctrl-C; return the last status, None when ZooKeeper did not answer the last read."""
    fleet: Fleet | None = None
    shown: object = None
    latest: FleetStatus | None = None
    screen = output != "json" and sys.stdout.isatty()
    try:
        while True:
            try:
                fleet = client.fleet(fleet)
                latest = summary(fleet, luns=luns)
                now: object = without_clock(latest)
            except StoreError as error:
                latest, now = None, str(error)
            if screen:
                click.clear()
            if screen or now != shown:
                names = FULL_NAMES if fleet is None else names_for(fleet.snapshot.lunmap, layout)
                _print(latest or now, output, layout, names)
            shown = now
            time.sleep(every)
    except KeyboardInterrupt:
        return latest


def _print(latest: object, output: str, layout: Layout, names: ShortNames) -> None:
    if not isinstance(latest, FleetStatus):
        echo(f"lunmapctl: {latest}", err=True)
    elif output == "json":
        echo_json(latest)
    else:
        _echo_status(latest, layout, names)


def _echo_status(fleet_status: FleetStatus, layout: Layout, names: ShortNames) -> None:
    echo_paragraphs(
        [f"cluster {fleet_status.cluster}, revision {fleet_status.revision}"],
        node_status_table(fleet_status.nodes).lines(layout),
        () if fleet_status.luns is None else paths_table(fleet_status.luns, names).lines(layout),
        problems_of(fleet_status),
        [f"note: {note}" for note in notes_of(fleet_status, names)],
    )
