"""What `lunmapctl status` shows: once, or again and again."""

import sys
import time
from typing import NamedTuple

import click

from lunmapd.client import Client, Fleet
from lunmapd.core.map.find_object import find_object
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.text.group_lines import owned_groups_table
from lunmapd.service.ctl.text.layout import names_for
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
            status = only_object(status, lunmap, *find_object(lunmap, self.name))
        sums = sum_line(status)
        names = FULL_NAMES if self.output == "json" else names_for(lunmap, self.layout)
        return Shown(only_bad(status) if self.bad else status, sums, names)


def show_status(client: Client, connection: Connection, view: View, every: float | None) -> bool:
    """Print the status, every so many seconds or once; return whether all was well at last."""
    if view.output == "html":
        latest: FleetStatus | None = _print_html(client, connection)
    else:
        latest = _once(client, view) if every is None else _watch(client, view, every)
    return latest is not None and all_well(latest)


def _print_html(client: Client, connection: Connection) -> FleetStatus:
    from lunmapd.service.ctl.page.call import call_of
    from lunmapd.service.ctl.page.overview import overview
    from lunmapd.service.ctl.page.reading import Latest, read_cluster
    from lunmapd.service.ctl.page.render import about, render_file

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
        from lunmapd.service.ctl.watch import terminal

        if terminal.is_capable():
            from lunmapd.service.ctl.watch.run import run_screen

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
        owned_groups_table(status.groups, names).lines(layout) if status.groups else (),
        paths_table(status.luns, names).lines(layout) if status.luns else (),
        problems_of(status),
        [f"note: {note}" for note in notes_of(status, names)],
    )
