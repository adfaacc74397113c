"""The status of a cluster in one value, and its problems."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Fleet
from lunmapd.core.base.text import count_of
from lunmapd.core.fleet.backing_differences import BackingDifference
from lunmapd.core.fleet.group_owners import OwnedGroup
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.path_problems import LostLogin, PathProblem, find_lost_logins, find_path_problems
from lunmapd.core.fleet.status import Standing
from lunmapd.core.history.changes import Staged
from lunmapd.core.map.short_names import FULL_NAMES, ShortNames
from lunmapd.service.ctl.text.group_lines import count_groups, group_problem_lines, without_owner
from lunmapd.service.ctl.text.node_lines import NodeLine, former_lines, node_line, refused_lines
from lunmapd.service.ctl.text.path_lines import backing_difference_lines, lost_lines, path_problem_lines
from lunmapd.service.ctl.text.rollout_lines import RolloutReport, rollout_report, rollout_sentence


class FleetStatus(Struct, frozen=True):
    """The JSON of `lunmapctl status`. `luns` needs --luns; `lun_troubles` are the Luns that lack a path.

    `backing_differences` are the Luns whose nodes have opened different files or devices;
    `backings_unreadable` maps nodes to the reason why their reports of these can't be read. `groups` are the
    floating portal groups and the takeover groups.
    """

    cluster: str
    revision: int
    digest: str
    nodes: tuple[NodeLine, ...]
    unreadable: dict[str, str]
    staged: Staged | None = None
    edited: tuple[str, ...] = ()
    lun_count: int = 0
    lun_troubles: tuple[PathProblem, ...] = ()
    lost_logins: tuple[LostLogin, ...] = ()
    luns: tuple[LunPaths, ...] | None = None
    backing_differences: tuple[BackingDifference, ...] = ()
    backings_unreadable: dict[str, str] = {}
    rollout: RolloutReport | None = None
    groups: tuple[OwnedGroup, ...] = ()


def summary(fleet: Fleet, *, luns: bool = False) -> FleetStatus:
    """Return the status of a cluster; with `luns` it lists each Lun."""
    snapshot, now = fleet.snapshot, datetime.now(UTC)
    paths = fleet.lun_paths(now)
    return FleetStatus(
        snapshot.cluster,
        snapshot.revision,
        snapshot.digest,
        tuple(node_line(name, fleet, now) for name in fleet.nodes),
        dict(snapshot.unreadable),
        snapshot.staged,
        tuple(snapshot.edited),
        len(paths),
        find_path_problems(paths),
        find_lost_logins(paths),
        _sized(paths, fleet.lun_sizes()) if luns else None,
        fleet.backing_differences(now),
        {name: each.problem for name, each in fleet.backings.items() if each.problem},
        rollout_report(fleet),
        fleet.owned_groups(now),
    )


def _sized(paths: Iterable[LunPaths], sizes: Mapping[str, int]) -> tuple[LunPaths, ...]:
    return tuple(replace(each, size=sizes[each.lun]) for each in paths)


def without_clock(fleet_status: FleetStatus) -> FleetStatus:
    """Return the status without the values that change with time alone."""
    return replace(fleet_status, nodes=tuple(replace(line, lag=None) for line in fleet_status.nodes))


def sum_line(fleet_status: FleetStatus) -> str:
    """Return the number of nodes, of Luns and of groups, if any, and how many of each are not well."""
    without = sum(len(each.luns) for each in fleet_status.lun_troubles if each.is_cut_off)
    degraded = sum(len(each.luns) for each in fleet_status.lun_troubles) - without
    nodes = count_of(len(fleet_status.nodes), "node")
    dead = sum(not line.alive for line in fleet_status.nodes)
    luns = count_of(fleet_status.lun_count, "Lun")
    parts = [f"{fleet_status.lun_count - without - degraded:,} ok"]
    parts += [f"{degraded:,} degraded"] if degraded else []
    parts += [f"{without:,} without a path"] if without else []
    groups = f"; {count_groups(fleet_status.groups)}" if fleet_status.groups else ""
    return f"{nodes}{f', {dead:,} dead' if dead else ''}; {luns}: {', '.join(parts)}{groups}"


def problems_of(fleet_status: FleetStatus) -> list[str]:
    """Return every problem, one sentence each."""
    return [
        *(f"{line.node}: {problem}" for line in fleet_status.nodes for problem in line.problems),
        *(f"{path}: {reason}" for path, reason in fleet_status.unreadable.items()),
        *(
            f"{path} has an out-of-band edit; see 'lunmapctl repair --dry-run'"
            for path in fleet_status.edited
        ),
        *_staged(fleet_status.staged),
        *([rollout_sentence(fleet_status.rollout)] if fleet_status.rollout else ()),
        *group_problem_lines(fleet_status.groups),
        *path_problem_lines(fleet_status.lun_troubles),
        *backing_difference_lines([each for each in fleet_status.backing_differences if each.serious]),
    ]


def _staged(staged: Staged | None) -> Iterator[str]:
    if staged:
        yield (
            f"a large commit by {staged.author} is not complete: its last part is revision "
            f"{staged.revision} of {staged.time}"
        )


def notes_of(fleet_status: FleetStatus, names: ShortNames = FULL_NAMES) -> list[str]:
    """Return observations that may be intended, one sentence each."""
    return [
        *lost_lines(fleet_status.lost_logins, names),
        *refused_lines(fleet_status.nodes),
        *former_lines(fleet_status.nodes),
        *backing_difference_lines([each for each in fleet_status.backing_differences if not each.serious]),
        *(
            f"{name}: its reports of what it has opened can't be read: {reason}"
            for name, reason in fleet_status.backings_unreadable.items()
        ),
    ]


def all_well(fleet_status: FleetStatus) -> bool:
    """Return whether there is no problem."""
    return (
        not fleet_status.unreadable
        and not fleet_status.edited
        and not fleet_status.staged
        and not fleet_status.rollout
        and not fleet_status.lun_troubles
        and not any(without_owner(fleet_status.groups))
        and not any(each.serious for each in fleet_status.backing_differences)
        and all(
            line.alive and line.standing is Standing.CONVERGED and line.behind == 0
            for line in fleet_status.nodes
        )
    )
