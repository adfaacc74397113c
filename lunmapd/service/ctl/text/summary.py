"""The status of a cluster in one value, and its problems."""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Fleet
from lunmapd.core.fleet.lun_paths import (
    LostLogin,
    LunPaths,
    PathProblem,
    find_lost_logins,
    find_path_problems,
)
from lunmapd.core.fleet.status import Standing
from lunmapd.core.history.changes import Staged
from lunmapd.service.ctl.text.node_lines import NodeLine, node_line
from lunmapd.service.ctl.text.path_lines import lost_lines, path_problem_lines


class FleetStatus(Struct, frozen=True):
    """The JSON of `lunmapctl status`. `luns` needs --luns; `lun_troubles` are the Luns that lack a path."""

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
        paths if luns else None,
    )


def without_clock(fleet_status: FleetStatus) -> FleetStatus:
    """Return the status without the values that change with time alone."""
    return replace(fleet_status, nodes=tuple(replace(line, lag=None) for line in fleet_status.nodes))


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
        *path_problem_lines(fleet_status.lun_troubles),
    ]


def _staged(staged: Staged | None) -> Iterator[str]:
    if staged:
        yield (
            f"a large commit by {staged.author} is not complete: its last part is revision "
            f"{staged.revision} of {staged.time}"
        )


def notes_of(fleet_status: FleetStatus) -> list[str]:
    """Return observations that may be intended, one sentence each."""
    return list(lost_lines(fleet_status.lost_logins))


def all_well(fleet_status: FleetStatus) -> bool:
    """Return whether there is no problem."""
    return (
        not fleet_status.unreadable
        and not fleet_status.edited
        and not fleet_status.staged
        and not fleet_status.lun_troubles
        and all(
            line.alive and line.standing is Standing.CONVERGED and line.behind == 0
            for line in fleet_status.nodes
        )
    )
