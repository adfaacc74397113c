"""`lunmapctl status`: the nodes, and the paths of each Lun."""

import sys
import time
from typing import NamedTuple

import click

from lunmapd.client import Client, Fleet
from lunmapd.core.base.errors import Exit
from lunmapd.core.map.find_object import find_object
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.text.layout import names_for, output_options
from lunmapd.service.ctl.text.narrow import only_bad, only_object
from lunmapd.service.ctl.text.node_lines import node_status_table
from lunmapd.service.ctl.text.path_lines import paths_table
from lunmapd.service.ctl.text.summary import (
    FleetStatus,
    all_well,
    notes_of,
    problems_of,
    sum_line,
    summary,
    without_clock,
)
from lunmapd.service.output import echo, echo_json, echo_paragraphs
from lunmapd.service.table import Layout
from lunmapd.store.session.errors import StoreError


class Shown(NamedTuple):
    """A status with its sums, and the names to print; `sums` are those of what is shown and what is well."""

    status: FleetStatus
    sums: str
    names: ShortNames


class View(NamedTuple):
    """What is shown: all Luns too, only what is wrong, only what concerns an object; and how."""

    luns: bool
    bad: bool
    name: str | None
    output: str
    layout: Layout

    @property
    def is_all_for_people(self) -> bool:
        """Whether nothing is left out, and no program reads it."""
        return self.layout.width is not None and self.output == "table" and not (self.name or self.bad)

    def of(self, fleet: Fleet) -> Shown:
        """Return what is shown of a cluster. Raises NoSuchNameError."""
        lunmap = fleet.snapshot.lunmap
        status = summary(fleet, luns=self.luns or self.bad or self.name is not None)
        if self.name is not None:
            status = only_object(status, *find_object(lunmap, self.name))
        sums = sum_line(status)
        names = FULL_NAMES if self.output == "json" else names_for(lunmap, self.layout)
        return Shown(only_bad(status) if self.bad else status, sums, names)


@click.command()
@click.argument("name", required=False, metavar="[NODE|LUN|HOST]")
@click.option(
    "--luns", is_flag=True, help="Also show the paths of each Lun, and the initiators that are logged in."
)
@click.option("--bad", is_flag=True, help="Only nodes that have a problem, and Luns that lack a path.")
@output_options("html")
@click.option(
    "-w",
    "--watch",
    type=click.FloatRange(0.1, 3600),
    is_flag=False,
    flag_value=2.0,
    metavar="SECONDS",
    help="Repeat every SECONDS, by default 2: on a terminal a screen with keys, else each change.",
)
@click.pass_obj
def status(
    connection: Connection,
    name: str | None,
    luns: bool,
    bad: bool,
    output: str,
    layout: Layout,
    watch: float | None,
) -> None:
    """Show the nodes, the revision that each has applied, failing objects, and Luns that lack paths.

    With a name only what concerns this node, Lun or host; of a host the part after the last colon is enough.
    Write nodes/NAME, luns/NAME or initiators/NAME if it could be several.

    With -o html it is a page for browsers, with all Luns, refused logins and the last revisions.

    Exit code 6 if there is any problem. LAG compares the clocks of this machine and of the committing one.
    """
    view = View(luns, bad, name, output, layout)
    if output == "html":
        _check_html(view, watch)
    with connection.client() as client:
        if output == "html":
            latest: FleetStatus | None = _print_html(client, connection)
        else:
            latest = _once(client, view) if watch is None else _watch(client, view, watch)
    if latest is None or not all_well(latest):
        sys.exit(Exit.DEGRADED)


def _check_html(view: View, watch: float | None) -> None:
    """Check that a page can be printed: of the whole cluster, once. Raises PageLibrariesError."""
    from lunmapd.service.ctl.page.libraries import check_libraries  # noqa: PLC0415 - no other output needs it

    if view.name is not None or view.bad or watch is not None:
        raise click.UsageError("-o html is a page of the whole cluster: leave NAME, --bad and --watch out")
    check_libraries("jinja2")


def _print_html(client: Client, connection: Connection) -> FleetStatus:
    from lunmapd.service.ctl.page.call import call_of  # noqa: PLC0415 - no other output needs these
    from lunmapd.service.ctl.page.overview import overview  # noqa: PLC0415
    from lunmapd.service.ctl.page.reading import Latest, read_cluster  # noqa: PLC0415
    from lunmapd.service.ctl.page.render import about, render_file  # noqa: PLC0415

    reading = read_cluster(client, call_of(connection, client.chroot))
    echo(*render_file(overview(reading, most=None), about(Latest(reading))).splitlines())
    return reading.status


def _once(client: Client, view: View) -> FleetStatus:
    shown = view.of(client.fleet())
    _print(shown, view)
    return shown.status


def _watch(client: Client, view: View, every: float) -> FleetStatus | None:
    """Show until Ctrl-C; return the last status, None when ZooKeeper did not answer the last read."""
    if view.is_all_for_people:
        from lunmapd.service.ctl.watch import terminal  # noqa: PLC0415 - no other output needs curses

        if terminal.is_capable():
            from lunmapd.service.ctl.watch.run import run_screen  # noqa: PLC0415 - as above

            return run_screen(client, every, luns=view.luns, full_names=view.layout.full_names)
    fleet: Fleet | None = None
    printed: object = None
    latest: Shown | None = None
    screen = view.output != "json" and sys.stdout.isatty()
    try:
        while True:
            try:
                fleet = client.fleet(fleet)
                latest = view.of(fleet)
                now: object = without_clock(latest.status)
            except StoreError as error:
                latest, now = None, str(error)
            if screen:
                click.clear()
            if screen or now != printed:
                _print(latest or now, view)
            printed = now
            time.sleep(every)
    except KeyboardInterrupt:
        return None if latest is None else latest.status


def _print(shown: object, view: View) -> None:
    if not isinstance(shown, Shown):
        echo(f"lunmapctl: {shown}", err=True)
    elif view.output == "json":
        echo_json(shown.status)
    else:
        _echo_status(shown, view.layout)


def _echo_status(shown: Shown, layout: Layout) -> None:
    status, names = shown.status, shown.names
    echo_paragraphs(
        [f"cluster {status.cluster}, revision {status.revision}", shown.sums],
        node_status_table(status.nodes).lines(layout) if status.nodes else (),
        paths_table(status.luns, names).lines(layout) if status.luns else (),
        problems_of(status),
        [f"note: {note}" for note in notes_of(status, names)],
    )
