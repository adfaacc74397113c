"""The paths of Luns as text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lunmapd.core.base.text import first_of, human_size
from lunmapd.core.fleet.backing_differences import BackingDifference
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_problems import LostLogin, PathProblem
from lunmapd.core.fleet.path_state import DEAD
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames
from lunmapd.service.table import Column, Table

_MAX_NAMED = 3
_MAX_LINES = 10
_SEE = "see 'lunmapctl status --luns'"


def paths_table(luns: Iterable[LunPaths], names: ShortNames = FULL_NAMES) -> Table:
    """Return the table of Luns with the state of each path and the initiators that are logged in."""
    rows = [
        (each.lun, each.size or None, _count(each), _nodes(each.paths), _initiators(each, names))
        for each in luns
    ]
    columns = (
        Column("LUN"),
        Column("SIZE", show=human_size),
        Column("PATHS"),
        Column("NODES", cut=True),
        Column("INITIATORS", cut=True),
    )
    return Table(columns, rows)


def _count(lun: LunPaths) -> str:
    return f"{lun.usable}/{lun.intended}" if lun.paths else ""


def _nodes(paths: Iterable[NodePath]) -> str:
    return ", ".join(f"{path.label} {_state(path)}" for path in paths)


def _state(path: NodePath) -> str:
    if path.change_held:
        return f"{path.state} (change held)"
    return "DEAD" if path.state == DEAD else path.state


def _initiators(lun: LunPaths, names: ShortNames) -> str:
    if not lun.initiators:
        return ""
    initiators = {host.initiator for host in lun.initiators}
    inside = {host.initiator for host in lun.initiators if host.at}
    lost = [_absent(host, names) for host in lun.initiators if host.at and host.missing]
    unknown = sorted({node for host in lun.initiators for node in host.unknown})
    remarks = (first_of(lost, _MAX_NAMED, "; "), f"unknown at {', '.join(unknown)}" if unknown else "")
    return "; ".join((f"{len(inside)}/{len(initiators)} logged in", *filter(None, remarks)))


def _absent(host: Host, names: ShortNames) -> str:
    return f"{names.initiator(host.initiator)} not at {', '.join(host.missing)}"


def path_problem_lines(problems: Sequence[PathProblem]) -> Iterator[str]:
    """Yield which Luns lack paths and why, in a bounded number of lines."""
    for problem in problems[:_MAX_LINES]:
        yield f"{first_of([f'luns/{lun}' for lun in problem.luns], _MAX_NAMED)}: {_lack(problem)}"
    if more := sum(len(problem.luns) for problem in problems[_MAX_LINES:]):
        yield f"{more} more Luns lack paths; {_SEE}"


def _lack(problem: PathProblem) -> str:
    count = "no path" if problem.is_cut_off else f"{problem.usable} of {problem.intended} paths"
    return f"{count}: {_nodes(problem.paths) or 'no node serves its targets'}"


def lost_lines(lost: Iterable[LostLogin], names: ShortNames = FULL_NAMES) -> Iterator[str]:
    """Yield the initiators that lack logins; initiators that lack the same ones share a line."""
    groups = defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], list[str]](list)
    for each in lost:
        groups[each.target, each.at, each.missing].append(names.initiator(each.initiator))
    lines = [
        f"{first_of(hosts, _MAX_NAMED)}: "
        f"logged in to {names.target(target)} at {', '.join(at)}, not at {', '.join(lacking)}"
        for (target, at, lacking), hosts in groups.items()
    ]
    yield from lines[:_MAX_LINES]
    if (more := len(lines) - _MAX_LINES) > 0:
        yield f"{more} more such; {_SEE}"


def backing_difference_lines(differences: Sequence[BackingDifference]) -> Iterator[str]:
    """Yield the Luns whose nodes have opened different files or devices, in a bounded number of lines."""
    yield from map(str, differences[:_MAX_LINES])
    if (more := len(differences) - _MAX_LINES) > 0:
        yield f"{more} more such; see 'lunmapctl status -o json'"
