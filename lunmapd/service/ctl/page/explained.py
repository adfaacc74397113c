"""The pages of one object: what `lunmapctl explain` and `lunmapctl show` print, with links and commands."""

import shlex
from collections.abc import Iterable, Sequence

from lunmapd.client import Revision, differences
from lunmapd.core.base.text import count_of, first_of, human_size
from lunmapd.core.explain.checks import Check, Verdict
from lunmapd.core.explain.host import HostExplanation, PairExplanation, SeenPath, explain_host, explain_pair
from lunmapd.core.explain.lun import LunExplanation, explain_lun
from lunmapd.core.explain.node import explain_node
from lunmapd.core.fleet.node_path import path_label
from lunmapd.core.map.short_names import ShortNames, short_names
from lunmapd.service.ctl.page.blocks import (
    PER_PAGE,
    Cell,
    Command,
    Mood,
    PagePart,
    PageTable,
    Query,
    Sentences,
    Turn,
    WebPage,
    turn_of,
)
from lunmapd.service.ctl.page.reading import ClusterReading
from lunmapd.service.ctl.text.differences import difference_lines, show_time

_MOODS = {Verdict.OK: Mood.GOOD, Verdict.NO: Mood.BAD, Verdict.UNKNOWN: Mood.WARN}
_MAX_CHECKS = 500
_MAX_NAMED = 20


def lun_page(reading: ClusterReading, name: str, query: Query) -> WebPage | None:
    """Return who sees a Lun and through which nodes; None if the map has no such Lun."""
    if name not in reading.world.lunmap.luns:
        return None
    found = explain_lun(reading.world, name)
    facts = f"WWID {found.wwid}{f', {human_size(found.size)}' if found.size else ''}."
    part, turn = _turn(max(len(found.maps), len(found.hosts)), query, "luns", name)
    parts: tuple[PagePart, ...] = (
        _checks(_worst_first(found.checks)),
        _maps(found, part, query),
        _hosts(found, part, query),
        *turn,
    )
    command = Command("The same on a terminal", f"lunmapctl explain luns/{shlex.quote(name)}")
    return WebPage(f"Lun {name}", _verdict(found.checks, _lacking(found)), facts, parts, (command,))


def _lacking(found: LunExplanation) -> list[str]:
    """Return the nodes where hosts are not logged in, or perhaps not."""
    hosts = [host for host in found.hosts if host.missing or host.unknown]
    at = (_joined((*host.missing, *host.unknown)) for host in hosts)
    return [f"{host.initiator} is not logged in at {nodes}" for host, nodes in zip(hosts, at, strict=True)]


def host_page(reading: ClusterReading, iqn: str, query: Query) -> WebPage | None:
    """Return what a host sees, with a link to each Lun; None if the map has no such host."""
    if iqn not in reading.world.lunmap.initiators:
        return None
    found = explain_host(reading.world, iqn)
    alias = f"{found.alias}; " if found.alias else ""
    logins = "; ".join(f"{target} at {', '.join(nodes)}" for target, nodes in found.logins.items())
    facts = f"{alias}logged in to {logins or 'nothing'}."
    part, turn = _turn(len(found.luns), query, "hosts", iqn)
    names = short_names(reading.world.lunmap)
    problems = (_checks(found.problems, "Problems"),) if found.problems else ()
    parts: tuple[PagePart, ...] = (*problems, _seen_luns(found, names, part, query), *turn)
    command = Command("The same on a terminal", f"lunmapctl explain initiators/{shlex.quote(iqn)}")
    return WebPage(f"Host {iqn}", _verdict(found.problems), facts, parts, (command,))


def pair_page(reading: ClusterReading, iqn: str, lun: str) -> WebPage | None:
    """Return each check on the way from a host to a Lun; None if the map has not both."""
    lunmap = reading.world.lunmap
    if iqn not in lunmap.initiators or lun not in lunmap.luns:
        return None
    found = explain_pair(reading.world, iqn, lun)
    command = Command(
        "The same on a terminal", f"lunmapctl explain initiators/{shlex.quote(iqn)} {shlex.quote(lun)}"
    )
    sentence = Cell(_seen(found), mood=_mood(is_well=found.is_well))
    return WebPage(f"Lun {lun} at host {iqn}", sentence, "", (_checks(found.checks),), (command,))


def _seen(found: PairExplanation) -> str:
    if found.usable:
        return f"The host sees the Lun through {found.usable} of {found.paths} paths."
    return "The host does not see the Lun."


def node_page(reading: ClusterReading, name: str, query: Query) -> WebPage | None:
    """Return what a node serves, and who loses what if it goes; None if there is no such node."""
    if name not in reading.fleet.nodes:
        return None
    found = explain_node(reading.world, name)
    targets = [[Cell(iqn), Cell(", ".join(portals))] for iqn, portals in found.targets.items()]
    losses = [[_host(loss.initiator, query), Cell(first_of(loss.luns, _MAX_NAMED))] for loss in found.losses]
    parts: tuple[PagePart, ...] = (
        _checks(_worst_first(found.checks)),
        PageTable("Targets", ("TARGET", "PORTALS"), targets, "it serves no target"),
        Sentences(
            f"{count_of(len(found.hosts), 'host')} logged in", [_host(iqn, query) for iqn in found.hosts]
        ),
        PageTable("If it goes", ("HOST", "LOSES"), losses, "no host that is logged in loses a Lun"),
    )
    command = Command("The same on a terminal", f"lunmapctl explain nodes/{shlex.quote(name)}")
    facts = f"It reports {count_of(found.luns, 'Lun')}."
    return WebPage(f"Node {name}", _verdict(found.checks), facts, parts, (command,))


def revision_page(revision: Revision, query: Query) -> WebPage:
    """Return a revision with its changes, and the commands that compare and undo it."""
    number = revision.revision
    words = [f"by {revision.author} at {show_time(revision.time)}", *revision.message.splitlines()]
    lines = list(difference_lines(differences(revision.changes), whole=True))
    part, turn = _turn(len(lines), query, "history", str(number))
    older = [Cell("the revision before", query.link("history", str(number - 1)))] if number > 1 else []
    commands = (
        Command("The same on a terminal", f"lunmapctl show {number}"),
        Command("All changes since then", f"lunmapctl diff {number}.."),
        Command("What undoing it would do", f"lunmapctl revert {number} --dry-run"),
    )
    parts: tuple[PagePart, ...] = (
        Sentences("Commit", [*map(Cell, words), *older]),
        Sentences("Changes", [Cell(line, mood=_SIGNS.get(line[:2], Mood.PLAIN)) for line in lines[part]]),
        *turn,
    )
    return WebPage(
        f"Revision {number}",
        Cell(f"{count_of(len(revision.changes), 'object')} changed."),
        parts=parts,
        commands=commands,
    )


_SIGNS = {"+ ": Mood.GOOD, "- ": Mood.BAD, "~ ": Mood.WARN}


def _verdict(checks: Sequence[Check], others: Sequence[str] = ()) -> Cell:
    """Return in one sentence what is wrong: the worst check, else the first of the others."""
    wrong = [check for check in _worst_first(checks) if check.verdict is not Verdict.OK]
    texts = [*(f"{check.node}: {check.text}" if check.node else check.text for check in wrong), *others]
    if not texts:
        return Cell("All is well.", mood=Mood.GOOD)
    more = f"; {count_of(len(texts) - 1, 'more problem', 'more problems')}" if len(texts) > 1 else ""
    return Cell(f"{texts[0]}{more}.", mood=Mood.BAD)


def _worst_first(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that failed, then those without an answer, then the others."""
    return sorted(checks, key=lambda check: (Verdict.NO, Verdict.UNKNOWN, Verdict.OK).index(check.verdict))


def _mood(*, is_well: bool) -> Mood:
    return Mood.GOOD if is_well else Mood.BAD


def _host(iqn: str, query: Query) -> Cell:
    return Cell(iqn, query.link("hosts", iqn))


def _checks(checks: Sequence[Check], caption: str = "Checks") -> PageTable:
    rows = [
        [
            Cell(check.node or "-"),
            Cell(check.topic),
            Cell(check.verdict, mood=_MOODS[check.verdict]),
            Cell(check.text),
            _help(check),
        ]
        for check in checks[:_MAX_CHECKS]
    ]
    more = len(checks) - _MAX_CHECKS
    note = f"{more:,} more checks: the command below has all, with -o json." if more > 0 else ""
    return PageTable(caption, ("NODE", "ABOUT", "RESULT", "FOUND", "WHAT HELPS"), rows, "none", note)


def _help(check: Check) -> Cell:
    return Cell("") if check.verdict is Verdict.OK else Cell(check.remedy, command=check.command)


def _turn(count: int, query: Query, *steps: str) -> tuple[slice, tuple[Turn, ...]]:
    """Return the part of a list to show, and its place in the list if that has several pages."""
    part, turn = turn_of(count, query._replace(text=""), *steps)
    return part, (turn,) if count > PER_PAGE else ()


def _maps(found: LunExplanation, part: slice, query: Query) -> PageTable:
    rows = [
        [
            Cell(str(entry.lun)),
            Cell(entry.target),
            Cell(f"group {entry.group}") if entry.group else _host(entry.initiator, query),
            Cell(entry.access),
        ]
        for entry in found.maps[part]
    ]
    return PageTable("Maps", ("LUN", "AT", "FOR", "ACCESS"), rows, "it is mapped to nobody")


def _hosts(found: LunExplanation, part: slice, query: Query) -> PageTable:
    rows = [
        [
            Cell(host.initiator, query.link("hosts", host.initiator, found.lun)),
            Cell(host.target),
            Cell(_joined(host.at)),
            Cell(_joined(host.missing), mood=Mood.BAD if host.missing else Mood.PLAIN),
            Cell(_joined(host.unknown)),
        ]
        for host in found.hosts[part]
    ]
    return PageTable("Hosts", ("HOST", "TARGET", "LOGGED IN AT", "NOT AT", "UNKNOWN AT"), rows, "no host")


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names) or "-"


def _seen_luns(found: HostExplanation, names: ShortNames, part: slice, query: Query) -> PageTable:
    rows = [
        [
            Cell(str(lun.number)),
            Cell(names.target(lun.target)),
            Cell(lun.lun, query.link("hosts", found.initiator, lun.lun)),
            Cell(lun.access),
            Cell(human_size(lun.size) if lun.size else "-"),
            Cell(lun.wwid),
            Cell(_joined(map(_path, lun.paths)), mood=_mood(is_well=lun.usable == len(lun.paths))),
        ]
        for lun in found.luns[part]
    ]
    columns = ("LUN", "AT", "VOLUME", "ACCESS", "SIZE", "WWID", "PATHS")
    return PageTable("Luns", columns, rows, "no Lun is mapped to it or to a group of it")


def _path(path: SeenPath) -> str:
    return f"{path_label(path.node, path.floating)} {'DEAD' if path.word == 'dead' else path.word}"
