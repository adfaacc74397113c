"""The lists of Luns, of hosts and of revisions."""

from collections.abc import Iterator, Sequence

from lunmapd.client import Revision
from lunmapd.core.base.names import naa
from lunmapd.core.base.text import human_size
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.map.short_names import FULL_NAMES, short_names
from lunmapd.service.ctl.page.blocks import (
    Cell,
    Command,
    Mood,
    PageTable,
    Query,
    Search,
    Turn,
    WebPage,
    cells_of,
    columns_of,
    has_text,
    turn_of,
)
from lunmapd.service.ctl.page.reading import ClusterReading
from lunmapd.service.ctl.text.differences import log_table
from lunmapd.service.ctl.text.host_table import hosts_table
from lunmapd.service.ctl.text.path_lines import paths_table


def luns_page(reading: ClusterReading, query: Query) -> WebPage:
    """Return the Luns that a query chooses."""
    every = reading.status.luns or ()
    luns = [each for each in every if has_text(_words(reading, each), query.text)] if query.text else every
    part, turn = turn_of(len(luns), query, "luns")
    command = Command("The same on a terminal", "lunmapctl status --luns")
    return _list_page(luns_listing(reading, query, luns[part]), turn, len(every), query, command)


def _words(reading: ClusterReading, lun: LunPaths) -> Iterator[str]:
    """Yield the texts by which a Lun is found."""
    yield from (lun.lun, _wwid(reading, lun.lun))
    yield from (f"{path.label} {path.state}" for path in lun.paths)
    yield from (host.initiator for host in lun.initiators)


def hosts_page(reading: ClusterReading, query: Query) -> WebPage:
    """Return the hosts that a query chooses."""
    every = hosts_listing(reading, query)
    rows = [row for row in every.rows if has_text((cell.text for cell in row), query.text)]
    part, turn = turn_of(len(rows), query, "hosts")
    command = Command("The maps of each host on a terminal", "lunmapctl get initiators")
    return _list_page(every._replace(rows=rows[part]), turn, len(every.rows), query, command)


def _list_page(listing: PageTable, turn: Turn, count: int, query: Query, command: Command) -> WebPage:
    title = listing.caption
    search = Search(f"/{title.lower()}", query.text, query.kept)
    return WebPage(title, Cell(f"{count:,} in all."), "", (listing, turn), (command,), search)


def luns_listing(reading: ClusterReading, query: Query, luns: Sequence[LunPaths]) -> PageTable:
    """Return a table of these Luns with size, WWID, paths and hosts."""
    table = paths_table(luns, short_names(reading.fleet.snapshot.lunmap))
    rows = [_lun(reading, each, cells, query) for each, cells in zip(luns, cells_of(table), strict=True)]
    return PageTable("Luns", ("LUN", "SIZE", "WWID", "PATHS", "THROUGH", "HOSTS"), rows, "no Lun")


def _wwid(reading: ClusterReading, lun: str) -> str:
    return f"3{naa(reading.fleet.snapshot.lunmap.luns[lun].serial)}"


def _lun(reading: ClusterReading, lun: LunPaths, cells: Sequence[Cell], query: Query) -> list[Cell]:
    _, _, count, nodes, hosts = cells
    mood = Mood.PLAIN if lun.is_whole else Mood.BAD
    return [
        Cell(lun.lun, query.link("luns", lun.lun)),
        Cell(human_size(lun.size) if lun.size else "-"),
        Cell(_wwid(reading, lun.lun)),
        count._replace(mood=mood),
        nodes._replace(mood=mood),
        hosts,
    ]


def hosts_listing(reading: ClusterReading, query: Query) -> PageTable:
    """Return every host with its logins."""
    lunmap = reading.fleet.snapshot.lunmap
    table = hosts_table(lunmap, reading.status.luns or (), FULL_NAMES)
    rows = [
        [Cell(iqn, query.link("hosts", iqn)), *cells[1:]]
        for iqn, cells in zip(sorted(lunmap.initiators), cells_of(table), strict=True)
    ]
    return PageTable("Hosts", columns_of(table), rows, "no host")


def history_listing(revisions: Sequence[Revision], query: Query) -> PageTable:
    """Return revisions, each with a link to its changes."""
    table = log_table(revisions)
    rows = [
        [Cell(f"{entry.revision}", query.link("history", str(entry.revision))), *cells[1:]]
        for entry, cells in zip(revisions, cells_of(table), strict=True)
    ]
    return PageTable("History, newest first", columns_of(table), rows, "there is no commit yet")


def history_page(revisions: Sequence[Revision], newest: int, query: Query) -> WebPage:
    """Return a page of the history: `revisions` are those of the page that a query chooses, newest first."""
    last = revisions[-1].revision if revisions else 0
    turn = Turn(
        f"the newest revision is {newest:,}",
        query.link("history", page=query.page - 1) if query.page > 1 else "",
        query.link("history", page=query.page + 1) if last > 1 else "",
    )
    parts = (history_listing(revisions, query), turn)
    command = Command("The same on a terminal", "lunmapctl log")
    return WebPage("History", Cell("Each commit of the map is one revision."), "", parts, (command,))
