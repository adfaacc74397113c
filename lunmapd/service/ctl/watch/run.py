"""The loop of `status --watch` on a terminal: a thread reads the cluster, keys move through what it read."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lunmapd.client import Client, Fleet
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.map.short_names import NoSuchNameError, ShortNames
from lunmapd.service.ctl.text.explanation import explain_object, explanation_paragraphs, world_of
from lunmapd.service.ctl.text.host_table import hosts_table
from lunmapd.service.ctl.text.layout import names_for
from lunmapd.service.ctl.text.node_lines import node_status_table
from lunmapd.service.ctl.text.path_lines import paths_table
from lunmapd.service.ctl.text.summary import FleetStatus, notes_of, problems_of, sum_line, summary
from lunmapd.service.ctl.watch.terminal import Terminal, open_terminal
from lunmapd.service.ctl.watch.view import (
    Page,
    Row,
    ScreenContent,
    Size,
    State,
    draw,
    list_height,
    matching,
    press,
)
from lunmapd.service.table import Layout, Table


class Reading(NamedTuple):
    """What was read last, and at which time of the day; `error` says why it could not be read again."""

    fleet: Fleet | None = None
    status: FleetStatus | None = None
    at: str = ""
    error: str = ""


class Reader:
    """Reads the cluster in a thread of its own, since a call may wait until ZooKeeper answers."""

    def __init__(self, client: Client, every: float, changed: Callable[[], None]) -> None:
        """Start to read; `changed` is called after each reading."""
        self._client, self._every, self._changed = client, every, changed
        self._stop = threading.Event()
        self.latest = Reading()
        self.failure: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Let the thread end after the call that it waits for."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                fleet = self._client.fleet(self.latest.fleet)
                now = time.strftime("%H:%M:%S")
                self.latest = Reading(fleet, summary(fleet, luns=True), now)
            except LunmapdError as error:
                self.latest = self.latest._replace(error="; ".join(error.lines))
            except Exception as error:  # noqa: BLE001 - the loop raises it, where it ends the program
                self.failure = error
                self.stop()
            self._changed()
            self._stop.wait(self._every)


def run_screen(client: Client, every: float, *, luns: bool, full_names: bool) -> FleetStatus | None:
    """Show the cluster until `q` or Ctrl-C; return the last status, None if it could not be read at last.

    It begins with the list of nodes, or with that of Luns.
    """
    with open_terminal(colour=not os.environ.get("NO_COLOR")) as terminal:
        reader = Reader(client, every, terminal.wake)
        try:
            _loop(terminal, reader, State(Page.LUNS if luns else Page.NODES), full_names=full_names)
        except KeyboardInterrupt:
            pass
        finally:
            reader.stop()
    return None if reader.latest.error else reader.latest.status


def _loop(terminal: Terminal, reader: Reader, state: State, *, full_names: bool) -> None:
    made, content = None, _NOT_READ
    while not state.is_done:
        if reader.failure is not None:
            raise reader.failure
        shown = _Shown(reader.latest, state.page, state.explained, terminal.size)
        if shown != made:
            made, content = shown, content_of(shown, full_names=full_names)
        terminal.show(draw(state, content, shown.size))
        height = list_height(shown.size, len(content.problems))
        for key in terminal.wait():
            state = press(state, key, matching(content.rows, state.filter), height)


class _Shown(NamedTuple):
    """What the content of the screen is made of; as long as it is the same, the content is."""

    reading: Reading
    page: Page
    explained: str
    size: Size


_NOT_READ = ScreenContent("lunmapctl status", "reading the tree ...", "", ())


def content_of(shown: _Shown, *, full_names: bool) -> ScreenContent:
    """Return what the screen shows of a reading: one list, or the explanation of an object."""
    reading, layout = shown.reading, Layout(shown.size.columns, full_names)
    fleet, status = reading.fleet, reading.status
    if fleet is None or status is None:
        return _NOT_READ._replace(error=reading.error)
    names = names_for(fleet.snapshot.lunmap, layout)
    heading, *lines = _table(shown.page, fleet, status, names).lines(layout)
    words = _words(shown.page, fleet, status)
    return ScreenContent(
        f"cluster {status.cluster}, revision {status.revision}, read at {reading.at}",
        sum_line(status),
        heading,
        [Row(word, line) for word, line in zip(words, lines, strict=True)],
        [*problems_of(status), *notes_of(status, names)],
        reading.error,
        _explained(fleet, shown.explained, layout) if shown.explained else (),
    )


def _table(page: Page, fleet: Fleet, status: FleetStatus, names: ShortNames) -> Table:
    if page is Page.NODES:
        return node_status_table(status.nodes)
    if page is Page.LUNS:
        return paths_table(status.luns or (), names)
    return hosts_table(fleet.snapshot.lunmap, status.luns or (), names)


def _words(page: Page, fleet: Fleet, status: FleetStatus) -> list[str]:
    """Return for each line of a list the object that it is about."""
    if page is Page.NODES:
        return [f"nodes/{line.node}" for line in status.nodes]
    if page is Page.LUNS:
        return [f"luns/{each.lun}" for each in status.luns or ()]
    return [f"initiators/{iqn}" for iqn in sorted(fleet.snapshot.lunmap.initiators)]


def _explained(fleet: Fleet, word: str, layout: Layout) -> Sequence[str]:
    world = world_of(fleet)
    try:
        found = explain_object(world, word)
    except NoSuchNameError as error:
        return error.lines
    paragraphs = explanation_paragraphs(found, names_for(world.lunmap, layout), layout)
    texts = [list(lines) for lines in paragraphs]
    return [line for text in texts if text for line in (*text, "")]
