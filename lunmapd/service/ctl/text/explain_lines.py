"""Explanations as text of at most 80 columns, tables and commands aside."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator

from lunmapd.core.base.text import count_of, first_of, human_size
from lunmapd.core.explain.checks import Check, Verdict
from lunmapd.core.explain.host import HostExplanation, PairExplanation, SeenLun, SeenPath
from lunmapd.core.explain.lun import LunExplanation
from lunmapd.core.explain.node import NodeExplanation
from lunmapd.core.fleet.node_path import path_label
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.table import UNFITTED, Column, Layout, table

_WIDTH = 80
_MAX_NAMED = 5
_MAX_LINES = 50
_INDENT = " " * 15
_REMEDY = f"{_INDENT}-> "
"""Begins a command, which is never wrapped, so that it can be copied."""

Paragraphs = Iterator[Iterable[str]]


_LUN_COLUMNS = (
    Column("LUN"),
    Column("AT", cut=True),
    Column("VOLUME"),
    Column("ACCESS"),
    Column("SIZE", drop=1, show=human_size),
    Column("PATHS", cut=True),
    Column("WWID"),
)


def host_paragraphs(found: HostExplanation, names: ShortNames, layout: Layout = UNFITTED) -> Paragraphs:
    """Yield who the host is, the table of its Luns, and what is wrong with its paths."""
    alias = f" ({found.alias})" if found.alias else ""
    groups = f"   groups: {', '.join(found.groups)}" if found.groups else ""
    logins = [f"{names.target(target)} at {', '.join(nodes)}" for target, nodes in found.logins.items()]
    yield [f"{found.initiator}{alias}{groups}", f"logged in to {'; '.join(logins) or 'nothing'}"]
    if found.luns:
        rows = [_lun_row(lun, names) for lun in found.luns]
        yield table(_LUN_COLUMNS, rows, layout)
    else:
        yield ["no Lun is mapped to it or to a group of it"]
    yield _checks(found.problems)


def _lun_row(lun: SeenLun, names: ShortNames) -> tuple[object, ...]:
    paths = ", ".join(_paths(lun.paths)) or "no node"
    return lun.number, names.target(lun.target), lun.lun, lun.access, lun.size or None, paths, lun.wwid


def _paths(paths: Iterable[SeenPath]) -> Iterator[str]:
    """Yield the nodes of each state, so that the table fits a terminal: `n1,n2 ok`, `n3 DEAD`."""
    alike = defaultdict[str, list[str]](list)
    for path in paths:
        alike["DEAD" if path.word == "dead" else path.word].append(path_label(path.node, path.floating))
    yield from (f"{','.join(labels)} {word}" for word, labels in alike.items())


def pair_paragraphs(found: PairExplanation, names: ShortNames) -> Paragraphs:
    """Yield whether the host sees the Lun, and every check on the way."""
    host = names.initiator(found.initiator)
    if found.usable:
        yield [f"{host} sees {found.lun} through {found.usable} of {found.paths} paths:"]
    else:
        yield [f"{host} does not see {found.lun}:"]
    yield _checks(found.checks)


_HOST_COLUMNS = tuple(
    Column(name, cut=True) for name in ("HOST", "TARGET", "LOGGED IN AT", "NOT AT", "UNKNOWN AT")
)


def lun_paragraphs(found: LunExplanation, names: ShortNames, layout: Layout = UNFITTED) -> Paragraphs:
    """Yield the Lun, who is logged in where, and every check of its nodes."""
    size = f", {human_size(found.size)}" if found.size else ""
    yield [f"{found.lun}: WWID {found.wwid}{size}"]
    rows = [
        (
            entry.lun,
            names.target(entry.target),
            f"group {entry.group}" if entry.group else names.initiator(entry.initiator),
            entry.access.value,
        )
        for entry in found.maps
    ]
    columns = "LUN", Column("AT", cut=True), Column("FOR", cut=True), "ACCESS"
    yield table(columns, rows, layout) if rows else ["it is mapped to nobody"]
    hosts = [
        (
            names.initiator(host.initiator),
            names.target(host.target),
            ",".join(host.at),
            ",".join(host.missing),
            ",".join(host.unknown),
        )
        for host in found.hosts
    ]
    yield table(_HOST_COLUMNS, hosts, layout) if hosts else []
    yield _checks(found.checks)


def node_paragraphs(found: NodeExplanation, names: ShortNames, layout: Layout = UNFITTED) -> Paragraphs:
    """Yield the checks of the node, its targets, and who loses what if it goes."""
    yield _checks(found.checks)
    rows = [(names.target(target), ", ".join(portals)) for target, portals in found.targets.items()]
    columns = Column("TARGET", cut=True), Column("PORTALS", cut=True)
    yield table(columns, rows, layout) if rows else ["it serves no target"]
    hosts = [names.initiator(host) for host in found.hosts]
    yield _wrapped([f"{count_of(found.luns, 'Lun')}; logged in: {first_of(hosts, _MAX_NAMED) or 'nobody'}"])
    losses = [
        f"if it goes, {names.initiator(loss.initiator)} loses {first_of(loss.luns, _MAX_NAMED)}"
        for loss in found.losses
    ]
    yield _wrapped(_bounded(losses) if losses else ["if it goes, no host that is logged in loses a Lun"])


def _checks(checks: Iterable[Check]) -> Iterator[str]:
    lines = [line for check in checks for line in _check(check)]
    yield from _wrapped(_bounded(lines))


def _check(check: Check) -> Iterator[str]:
    verdict = "" if check.verdict is Verdict.OK else f"{check.verdict.upper()}  "
    yield f"{check.node or '-':<6} {check.topic:<7} {verdict}{check.text}"
    if check.remedy and check.verdict is not Verdict.OK:
        yield f"{_REMEDY}{check.remedy}"


def _bounded(lines: list[str]) -> list[str]:
    more = len(lines) - _MAX_LINES
    return [*lines[:_MAX_LINES], f"{more} more lines; '-o json' has all"] if more > 0 else lines


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if len(line) <= _WIDTH or line.startswith(_REMEDY):
            yield line
        else:
            yield from textwrap.wrap(
                line, _WIDTH, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False
            )
