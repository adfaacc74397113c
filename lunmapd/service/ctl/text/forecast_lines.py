"""What the nodes would do after a commit, as text of at most 80 columns and as JSON."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from lunmapd.client import Proposal, differences
from lunmapd.core.base.disruption import DISRUPTION_WORDS
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.forecast.fleet import Forecast, LeavingNode, MovedAddress
from lunmapd.core.forecast.node import HostForecast, NodeForecast
from lunmapd.core.history.fields import Difference
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames, short_names
from lunmapd.service.ctl.text.differences import change_sum, difference_lines
from lunmapd.service.table import Column, Layout, Table
from lunmapd.store.tree.liveness import seconds_since

_WIDTH = 80
_MAX_NAMED = 3
_MAX_LINES = 20
_MAX_CHANGES = 40
_LAYOUT = Layout(full_names=False)
_QUIET = {"", Reason.WAITING}
"""The reasons of steps that need no sentence of their own."""


class PlanReport(Struct, frozen=True):
    """The JSON of `lunmapctl plan`.

    `revision` is that of the map that was compared. `worst` is the worst class of disruption for anybody who
    is logged in, `disturbed` are the hosts that lose a path at least, `holding` the nodes that would hold
    steps. `leaving` are the nodes that the new map does not have, `addresses` the LUN numbers that lead to
    another Lun than before.
    """

    revision: int
    changes: tuple[Difference, ...]
    worst: str
    disturbed: tuple[str, ...]
    holding: tuple[str, ...]
    nodes: tuple[NodeForecast, ...]
    leaving: tuple[LeavingNode, ...]
    addresses: tuple[MovedAddress, ...]


def plan_report(proposal: Proposal, forecast: Forecast) -> PlanReport:
    """Return the JSON form of a forecast."""
    return PlanReport(
        forecast.revision,
        differences(proposal.changes),
        forecast.worst.word,
        forecast.disturbed,
        forecast.holding,
        forecast.nodes,
        forecast.leaving,
        forecast.addresses,
    )


def plan_paragraphs(
    proposal: Proposal, forecast: Forecast, now: datetime, layout: Layout = _LAYOUT
) -> Iterator[Iterable[str]]:
    """Yield the changes of the map, the table of nodes, what to know of it, and the sum."""
    names = FULL_NAMES if layout.full_names else short_names(proposal.before.lunmap, proposal.after)
    yield _changes(differences(proposal.changes), names)
    yield _nodes_table(forecast.nodes, names).lines(layout) if forecast.nodes else ()
    yield _wrapped(_remarks(forecast, names))
    yield _wrapped([_sum(forecast, names, now)])


def _changes(changed: Sequence[Difference], names: ShortNames) -> Iterator[str]:
    """Yield what changes, in a bounded number of lines, and the sum of more than a few objects."""
    yield from _bounded(list(difference_lines(changed, whole=False, names=names)), _MAX_CHANGES)
    if len(changed) > _MAX_NAMED:
        yield change_sum(changed)


def _wrapped(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from textwrap.wrap(
            line, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )


def _nodes_table(nodes: Sequence[NodeForecast], names: ShortNames) -> Table:
    alike = defaultdict[tuple[object, ...], list[str]](list)
    for node in nodes:
        held = sum(step.is_held for step in node.steps)
        alike[len(node.steps) - held, held or None, _worst(node.hosts, names)].append(node.node)
    rows = [(first_of(named, _MAX_NAMED, " "), *cells) for cells, named in alike.items()]
    columns = (
        Column("NODES"),
        Column("STEPS"),
        Column("HELD"),
        Column("WORST FOR WHO IS LOGGED IN", cut=True),
    )
    return Table(columns, rows)


def _worst(hosts: Sequence[HostForecast], names: ShortNames) -> str:
    worst = max((DISRUPTION_WORDS[host.disruption] for host in hosts), default=None)
    if worst is None:
        return ""
    shown = [_host(host, names) for host in hosts if host.disruption == worst.word]
    return f"{worst.word}: {first_of(shown, _MAX_NAMED)}"


def _host(host: HostForecast, names: ShortNames) -> str:
    luns = f" ({first_of(host.luns, _MAX_NAMED)})" if host.luns else ""
    return f"{names.initiator(host.initiator)}{luns}"


def _remarks(forecast: Forecast, names: ShortNames) -> Iterator[str]:
    yield from _bounded([_moved(each, names) for each in forecast.addresses])
    yield from _bounded(list(_holds(forecast.nodes)))
    yield from _bounded([f"{node.node}: {line}" for node in forecast.nodes for line in node.failing])
    yield from (_leaving(each, names) for each in forecast.leaving)
    yield from _details(forecast.nodes)
    yield from (f"note: {node.node}: {note}" for node in forecast.nodes for note in node.notes)


def _bounded(lines: Sequence[str], most: int = _MAX_LINES) -> Iterator[str]:
    yield from lines[:most]
    if (more := len(lines) - most) > 0:
        yield f"{more:,} more such; '-o json' has all"


def _moved(each: MovedAddress, names: ShortNames) -> str:
    return (
        f"LUN {each.lun} of {names.initiator(each.initiator)} at {names.target(each.target)} led to "
        f"{each.before} and leads to {each.after}: a host that still has that device writes into {each.after}"
    )


def _holds(nodes: Iterable[NodeForecast]) -> Iterator[str]:
    """Yield why steps would be held, each reason once with all nodes; steps that wait are left out."""
    why = defaultdict[str, list[str]](list)
    for node in nodes:
        for reason in dict.fromkeys(step.held for step in node.steps if step.held_for not in _QUIET):
            why[reason].append(node.node)
    for reason, named in why.items():
        yield f"{first_of(named, _MAX_NAMED)} would hold steps: {reason}"


def _details(nodes: Iterable[NodeForecast]) -> Iterator[str]:
    """Yield which nodes are not as the newest map says."""
    alike = defaultdict[str, list[str]](list)
    for node in nodes:
        alike[node.detail].append(node.node)
    for detail, named in alike.items():
        if detail:
            yield f"{first_of(named, _MAX_NAMED)} {'is' if len(named) == 1 else 'are'} {detail}"


def _leaving(each: LeavingNode, names: ShortNames) -> str:
    hosts = first_of([names.initiator(host) for host in each.hosts], _MAX_NAMED)
    leaves = f"{each.node} is not in the new map: it changes nothing, and goes on serving"
    if not hosts:
        return f"{leaves} as before"
    return f"{leaves} {hosts} as before; 'lunmapctl retire {each.node}' ends that first"


def _sum(forecast: Forecast, names: ShortNames, now: datetime) -> str:
    hosts = [names.initiator(host) for host in forecast.disturbed]
    count = f"{len(hosts)} host{'' if len(hosts) == 1 else 's'}"
    disturbed = f"{count} disturbed: {first_of(hosts, _MAX_NAMED)}" if hosts else "No host is disturbed"
    if any(node.mass_removal for node in forecast.nodes):
        disturbed += " before 'lunmapctl confirm'"
    holding = first_of(forecast.holding, _MAX_NAMED)
    held = f"{holding} would hold steps" if holding else "no node would hold steps"
    ages = [seconds_since(node.logins_at, now) for node in forecast.nodes if node.logins_at]
    oldest = max((age for age in ages if age is not None), default=None)
    logins = "" if oldest is None else f" (logins as of at most {oldest:.0f} s ago)"
    return f"{disturbed}; {held}{logins}."
