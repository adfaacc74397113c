"""The first page: what is wrong in one sentence, nodes and revisions, Luns, refused logins, the history."""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.explain.checks import remedy_of_refusal
from lunmapd.core.fleet.progress import Stage
from lunmapd.core.fleet.status import Standing
from lunmapd.core.node.refused_logins import RefusedLogins, describe_refused
from lunmapd.service.ctl.page.blocks import (
    Cell,
    Command,
    Mood,
    PagePart,
    PageTable,
    Query,
    Sentences,
    WebPage,
)
from lunmapd.service.ctl.page.groups import groups_listing, rollout_commands, rollout_words
from lunmapd.service.ctl.page.lists import history_listing, luns_listing
from lunmapd.service.ctl.page.reading import ClusterReading
from lunmapd.service.ctl.text.group_lines import without_owner
from lunmapd.service.ctl.text.node_lines import NodeLine, show_seconds
from lunmapd.service.ctl.text.summary import FleetStatus, all_well, notes_of, problems_of, sum_line

_MAX_NAMED = 3
_MOST = 20
_NO_CHOICE = Query()


def overview(reading: ClusterReading, query: Query = _NO_CHOICE, most: int | None = _MOST) -> WebPage:
    """Return the first page, with at most `most` Luns, problems and notes; None for all.

    Luns that lack a path are the first ones.
    """
    status = reading.status
    parts: list[PagePart] = [
        *_sentences("Problems", problems_of(status), Mood.BAD, most),
        *rollout_commands(status.rollout),
        *_sentences("Notes", notes_of(_without_refused(status)), Mood.WARN, most),
        nodes_listing(reading, query),
        *groups_listing(reading, query),
        _luns(reading, query, most),
        refused_listing(reading, query),
        history_listing(reading.revisions, query),
    ]
    mood = Mood.GOOD if all_well(status) else Mood.BAD
    return WebPage("Overview", Cell(verdict(status), mood=mood), "", parts, _COMMANDS)


_COMMANDS = (
    Command("The same on a terminal", "lunmapctl status --luns"),
    Command("Only what is wrong", "lunmapctl status --bad"),
    Command("With keys, repeated", "lunmapctl status --watch"),
)


def _sentences(caption: str, texts: list[str], mood: Mood, most: int | None) -> list[Sentences]:
    cells = [Cell(text, mood=mood) for text in texts[:most]]
    if more := len(texts) - len(cells):
        cells.append(Cell(f"{more:,} more: the pages of the nodes and Luns have them"))
    return [Sentences(caption, cells)] if cells else []


def _without_refused(status: FleetStatus) -> FleetStatus:
    """Return the status without refused logins, which have a table of their own."""
    return replace(status, nodes=tuple(replace(line, refused=()) for line in status.nodes))


def _luns(reading: ClusterReading, query: Query, most: int | None) -> PageTable:
    luns = sorted(reading.status.luns or (), key=lambda each: each.is_whole)
    shown = luns[:most]
    more = len(luns) - len(shown)
    note = f"{more:,} more Luns are in the list of all Luns." if more else ""
    return luns_listing(reading, query, shown)._replace(note=note)


def verdict(status: FleetStatus) -> str:
    """Return in one sentence what is wrong, or that all is well."""
    if all_well(status):
        return f"All is well: {sum_line(status)}."
    return f"Not all is well: {'; '.join(_wrongs(status))}."


def _wrongs(status: FleetStatus) -> Iterator[str]:
    yield from _nodes("dead", [line for line in status.nodes if not line.alive])
    alive = [line for line in status.nodes if line.alive]
    for standing in (Standing.HELD, Standing.DEGRADED, Standing.UNKNOWN, Standing.PENDING):
        yield from _nodes(standing, [line for line in alive if line.standing is standing])
    converged = [line for line in alive if line.standing is Standing.CONVERGED]
    yield from _nodes("behind the map", [line for line in converged if line.behind != 0])
    without = sum(len(each.luns) for each in status.lun_troubles if each.is_cut_off)
    lacking = sum(len(each.luns) for each in status.lun_troubles) - without
    if without:
        yield f"{count_of(without, 'Lun has', 'Luns have')} no path"
    if lacking:
        yield f"{count_of(lacking, 'Lun lacks', 'Luns lack')} a path"
    if groups := sum(1 for _ in without_owner(status.groups)):
        yield f"{count_of(groups, 'group has', 'groups have')} no owner"
    different = sum(each.serious for each in status.backing_differences)
    if different:
        yield f"the nodes of {count_of(different, 'Lun')} have opened different data"
    others = (
        (status.unreadable, "objects of the map can't be read"),
        (status.edited, "objects have an out-of-band edit"),
        (status.staged, "a large commit is not complete"),
    )
    yield from (sentence for is_there, sentence in others if is_there)
    if status.rollout:
        yield rollout_words(status.rollout)


def _nodes(word: str, lines: list[NodeLine]) -> Iterator[str]:
    if lines:
        verb = "is" if len(lines) == 1 else "are"
        yield f"{first_of([line.node for line in lines], _MAX_NAMED)} {verb} {word}"


_MOODS = {
    Stage.APPLIED: Mood.GOOD,
    Stage.HELD: Mood.BAD,
    Stage.FAILING: Mood.BAD,
    Stage.SILENT: Mood.BAD,
    Stage.DEAD: Mood.BAD,
}


def nodes_listing(reading: ClusterReading, query: Query) -> PageTable:
    """Return the nodes with their state, and how far each is with the last revisions."""
    revisions = sorted(entry.revision for entry in reading.revisions)
    columns = ("NODE", "STATE", "MAP", "LAG", "SESSIONS", *(f"REVISION {number}" for number in revisions))
    rows = [_node(reading, line, revisions, query) for line in reading.status.nodes]
    return PageTable("Nodes and the last revisions", columns, rows, "the map has no node")


def _node(reading: ClusterReading, line: NodeLine, revisions: list[int], query: Query) -> list[Cell]:
    state = ("drained" if line.drained else "alive") if line.alive else "DEAD"
    is_converged = line.standing is Standing.CONVERGED
    return [
        Cell(line.node, query.link("nodes", line.node)),
        Cell(state, mood=Mood.PLAIN if line.alive else Mood.BAD),
        Cell(line.standing, mood=Mood.GOOD if is_converged else Mood.WARN),
        Cell("-" if line.lag is None else show_seconds(line.lag)),
        Cell("-" if line.sessions is None else str(line.sessions)),
        *(_progress(reading, line.node, number) for number in revisions),
    ]


def _progress(reading: ClusterReading, node: str, revision: int) -> Cell:
    stage = reading.fleet.progress(node, revision, datetime.now(UTC)).stage
    return Cell(stage, mood=_MOODS.get(stage, Mood.WARN))


def _help(entry: RefusedLogins) -> Cell:
    text, command = remedy_of_refusal(entry, entry.initiator)
    return Cell(text, command=command)


def refused_listing(reading: ClusterReading, query: Query) -> PageTable:
    """Return the refused logins that nodes report, with the command that helps."""
    rows = [
        [
            Cell(line.node, query.link("nodes", line.node)),
            Cell(describe_refused(entry), mood=Mood.WARN),
            Cell(str(entry.count)),
            Cell(entry.last),
            _help(entry),
        ]
        for line in reading.status.nodes
        for entry in line.refused
    ]
    columns = ("NODE", "REFUSED", "TIMES", "LAST", "WHAT HELPS")
    return PageTable("Refused logins of the last minutes", columns, rows, "no login was refused")
