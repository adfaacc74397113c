"""Tables for people: plain columns, no colours, no cutting at the width of a terminal, so that grep finds all."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct
from tabulate import tabulate

from lunmapd.client import FleetNode, Lunmap
from lunmapd.core.backings import source
from lunmapd.core.lunmap import initiators_of
from lunmapd.core.mapfile import show_size
from lunmapd.core.names import naa
from lunmapd.core.status import Standing, standing

_BEATS = 3  # so many are waited for


class NodeLine(Struct, frozen=True):
    """What `lunmapctl status` says of one node, for programs; the table shows the same."""

    node: str
    alive: bool
    standing: Standing
    observed: int | None
    applied: int | None
    sessions: int | None
    failing: int
    since: str
    problems: tuple[str, ...]


def node_line(name: str, node: FleetNode, now: datetime) -> NodeLine:
    """Sum up one node. A dead node's status is the last that it wrote; `now` has a time zone."""
    live, status = node.live, node.status
    return NodeLine(
        node=name,
        alive=live is not None,
        standing=_standing(node, now),
        observed=status.observed.revision if status is not None and status.observed else None,
        applied=status.applied.revision if status is not None and status.applied else None,
        sessions=status.sessions if status is not None and live is not None else None,
        failing=status.failing_count if status is not None else 0,
        since=live.since if live is not None else (status.time if status is not None else ""),
        problems=(*node.problems, *(_problems(node, now) if status is not None else ())),
    )


def _standing(node: FleetNode, now: datetime) -> Standing:
    if (node.live is None and node.status is not None) or is_silent(node, now):
        return Standing.UNKNOWN
    return standing(node.status)


def is_silent(node: FleetNode, now: datetime) -> bool:
    """Tell whether a node that lives has long not said anything, by the clocks of both machines."""
    if node.live is None or node.status is None or not node.status.beat:
        return False
    return (now - datetime.fromisoformat(node.status.time)).total_seconds() > _BEATS * node.status.beat


def _problems(node: FleetNode, now: datetime) -> Iterator[str]:
    status = node.status
    assert status is not None, "who has none has no problems of it"
    if is_silent(node, now):
        yield f"it has not said anything since {status.time}, and should every {status.beat:g} s: its loop is busy or hangs, or a clock is wrong"
    for entry in status.conditions:
        if not entry.status:
            yield f"{entry.type}: {entry.reason}: {entry.message}"
    for failing in status.failing:
        yield f"{failing.object}: {failing.reason}: {failing.message}"
    if missing := status.failing_count - len(status.failing):
        yield f"{missing} more objects fail"


def status_table(lines: Sequence[NodeLine]) -> str:
    """Print the nodes, one a line."""
    rows = [
        (
            line.node,
            "alive" if line.alive else "DEAD",
            line.standing,
            _or_dash(line.applied),
            _or_dash(line.observed),
            _or_dash(line.sessions),
            line.failing,
            line.since or "-",
        )
        for line in lines
    ]
    return table(("NODE", "STATE", "MAP", "APPLIED", "OBSERVED", "SESSIONS", "FAILING", "SINCE"), rows)


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)


def luns_table(lunmap: Lunmap) -> str:
    """Print the Luns with the WWID that initiators see ("3" for a NAA identifier, as udev and multipath print it)."""
    rows = [
        (
            name,
            show_size(lun.size) if lun.size else "-",
            lun.backing.__struct_config__.tag,
            source(lun.backing) or "-",
            f"3{naa(lun.serial)}",
            len(lun.maps),
        )
        for name, lun in sorted(lunmap.luns.items())
    ]
    return table(("LUN", "SIZE", "TYPE", "PATH", "WWID", "MAPS"), rows)


def targets_table(lunmap: Lunmap) -> str:
    """Print the targets with their nodes."""
    rows = [
        (iqn, ",".join(target.nodes) or "-", target.alias or "-")
        for iqn, target in sorted(lunmap.targets.items())
    ]
    return table(("TARGET", "NODES", "ALIAS"), rows)


def initiators_table(lunmap: Lunmap) -> str:
    """Print the initiators with what they see: target number=Lun, one line for each mapping."""
    rows: list[tuple[object, ...]] = []
    for iqn, initiator in sorted(lunmap.initiators.items()):
        maps = [
            (entry.target, entry.lun, name, entry.access.value)
            for name, lun in lunmap.luns.items()
            for entry in lun.maps
            if iqn in initiators_of(lunmap, entry)
        ]
        rows += [(iqn, initiator.alias or "-", *row) for row in sorted(maps)] or [
            (iqn, initiator.alias or "-", "-", "-", "-", "-")
        ]
    return table(("INITIATOR", "ALIAS", "TARGET", "NUMBER", "LUN", "ACCESS"), rows)


def groups_table(lunmap: Lunmap) -> str:
    """Print the groups with their initiators, one a line."""
    rows = [
        (name, iqn, group.alias or "-")
        for name, group in sorted(lunmap.groups.items())
        for iqn in group.initiators or ("-",)
    ]
    return table(("GROUP", "INITIATOR", "ALIAS"), rows)


def nodes_table(lunmap: Lunmap) -> str:
    """Print the nodes with tag and portals."""
    rows = [
        (name, node.tpg_tag, ",".join(node.portals) or "-") for name, node in sorted(lunmap.nodes.items())
    ]
    return table(("NODE", "TAG", "PORTALS"), rows)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Print a plain table."""
    return tabulate(rows, headers, tablefmt="plain", disable_numparse=True)
