"""The state of each node: a line of the table of `lunmapctl status`, and its JSON."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from lunmapd.client import Fleet, FleetNode
from lunmapd.core.base.lunmap import is_drained
from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.fleet.lag import Lag
from lunmapd.core.fleet.status import FormerOccupant, Standing, standing_of
from lunmapd.core.node.refused_logins import RefusedLogins, describe_refused
from lunmapd.service.table import Column, Table
from lunmapd.store.tree.liveness import is_silent, seconds_since

_MAX_HOSTS, _MAX_LUNS = 5, 5
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class NodeLine(Struct, frozen=True):
    """One node in the JSON of `lunmapctl status`; the table shows the same.

    `behind` counts the revisions that the node has not applied. The oldest of them is available since
    `behind_since` (RFC 3339), which is `lag` seconds ago. `drained`: the map drains the node.
    """

    node: str
    alive: bool
    standing: Standing
    observed: int | None
    applied: int | None
    behind: int | None
    behind_since: str
    lag: float | None
    sessions: int | None
    hosts: int | None
    failing: int
    since: str
    problems: tuple[str, ...]
    refused: tuple[RefusedLogins, ...] = ()
    former: tuple[FormerOccupant, ...] = ()
    former_count: int = 0
    drained: bool = False


def node_line(name: str, fleet: Fleet, now: datetime) -> NodeLine:
    """Return the line of one node; a dead node has the last status that it wrote. `now` has a time zone."""
    node, behind = fleet.nodes[name], fleet.lag(name)
    live, status = node.live, node.status
    return NodeLine(
        node=name,
        alive=live is not None,
        standing=_standing(node, now),
        observed=status.observed.revision if status is not None and status.observed else None,
        applied=status.applied.revision if status is not None and status.applied else None,
        behind=None if behind is None else behind.revisions,
        behind_since="" if behind is None else behind.since,
        lag=_lag(behind, now),
        sessions=status.sessions if status is not None and live is not None else None,
        hosts=status.hosts if status is not None and live is not None else None,
        failing=status.failing_count if status is not None else 0,
        since=live.since if live is not None else (status.time if status is not None else ""),
        problems=(
            *_retired(name, fleet),
            *node.problems,
            *(_problems(node, now) if status is not None else ()),
        ),
        refused=status.refused if status is not None and live is not None else (),
        former=status.former if status is not None else (),
        former_count=status.former_count if status is not None else 0,
        drained=is_drained(fleet.snapshot.lunmap, name),
    )


def _lag(behind: Lag | None, now: datetime) -> float | None:
    if behind is None:
        return None
    return seconds_since(behind.since, now) if behind.revisions else 0.0


def _standing(node: FleetNode, now: datetime) -> Standing:
    if (node.live is None and node.status is not None) or is_silent(node, now):
        return Standing.UNKNOWN
    return standing_of(node.status)


def _retired(name: str, fleet: Fleet) -> Iterator[str]:
    node = fleet.nodes[name]
    if fleet.snapshot.has(f"nodes/{name}"):
        return
    if node.live is None:
        yield f"it is dead and not in the map: if it was retired, run 'lunmapctl forget {name}'"
    elif node.status is not None and node.status.sessions:
        hosts = sorted({login.initiator for login in node.status.logins})
        named = f", of {first_of(hosts, _MAX_HOSTS)}" if hosts else ""
        yield (
            f"it is not in the map and still serves {count_of(node.status.sessions, 'session')}{named}, "
            f"under nobody's control: add the node again, then 'lunmapctl retire {name}' ends that"
        )


def _problems(node: FleetNode, now: datetime) -> Iterator[str]:
    status = node.status
    assert status is not None, "the caller checks that there is a status"
    if is_silent(node, now):
        yield (
            f"no status since {status.time}, though one is due every {status.beat:g} s: "
            "its loop is busy or hangs, or a clock is wrong"
        )
    for entry in status.conditions:
        if not entry.status:
            yield f"{entry.type}: {entry.reason}: {entry.message}"
    for failing in status.failing:
        yield f"{failing.object}: {failing.reason}: {failing.message}"
    if missing := status.failing_count - len(status.failing):
        yield f"{missing} more {'object fails' if missing == 1 else 'objects fail'}"


def former_lines(lines: Sequence[NodeLine]) -> Iterator[str]:
    """Yield the former LUNs that hosts may still hold, in a bounded number of lines for each node.

    Nodes with the same ones share a line.
    """
    nodes = defaultdict[str, list[str]](list)
    for line in lines:
        for text in _former_texts(line):
            nodes[text].append(line.node)
    for text, names in nodes.items():
        yield f"{first_of(names, _MAX_HOSTS)}: {text}"


def _former_texts(line: NodeLine) -> Iterator[str]:
    held = defaultdict[tuple[str, str], list[str]](list)
    for each in line.former:
        held[each.initiator, each.target].append(f"{each.lun} ({each.name}, until revision {each.revision})")
    for (initiator, target), luns in list(held.items())[:_MAX_HOSTS]:
        yield (
            f"{initiator} may still hold former LUNs of {target}, until it logs out there: "
            f"{first_of(luns, _MAX_LUNS)}"
        )
    if more := line.former_count - sum(len(luns) for luns in list(held.values())[:_MAX_HOSTS]):
        yield f"hosts may still hold {more} more former LUNs"


def refused_lines(lines: Sequence[NodeLine]) -> Iterator[str]:
    """Yield the refused logins of all nodes."""
    for line in lines:
        for entry in line.refused:
            times = "once" if entry.count == 1 else f"{entry.count} times"
            yield f"{line.node}: {describe_refused(entry)}, {times}, last at {entry.last}"


def show_seconds(seconds: float) -> str:
    """Format seconds in their two largest units: 7s, 2m07s, 5h02m, 3d04h."""
    whole = int(seconds)
    for unit, larger, smaller in ((_DAY, "d", "h"), (_HOUR, "h", "m"), (_MINUTE, "m", "s")):
        if whole >= unit:
            below = _HOUR if unit == _DAY else unit // _MINUTE
            return f"{whole // unit}{larger}{whole % unit // below:02}{smaller}"
    return f"{whole}s"


_NODE_COLUMNS = (
    Column("NODE"),
    Column("STATE"),
    Column("MAP"),
    Column("APPLIED"),
    Column("OBSERVED", drop=2),
    Column("BEHIND"),
    Column("LAG", show=show_seconds),
    Column("SESSIONS"),
    Column("HOSTS"),
    Column("FAILING"),
    Column("SINCE", drop=3),
)


def _state(line: NodeLine) -> str:
    if not line.alive:
        return "DEAD"
    return "drained" if line.drained else "alive"


def node_status_table(lines: Sequence[NodeLine]) -> Table:
    """Return the table of nodes."""
    rows = [
        (
            line.node,
            _state(line),
            line.standing,
            line.applied,
            line.observed,
            line.behind,
            line.lag,
            line.sessions,
            line.hosts,
            line.failing,
            line.since,
        )
        for line in lines
    ]
    return Table(_NODE_COLUMNS, rows)
