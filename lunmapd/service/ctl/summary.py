"""The state of a cluster in one value, and what is wrong with it."""

from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.client import Fleet
from lunmapd.core.fleet.lun_paths import LostLogin, LunPaths, Trouble, lost_logins, troubles
from lunmapd.core.fleet.status import Standing
from lunmapd.core.history.changes import Staged
from lunmapd.service.ctl.node_lines import NodeLine, node_line
from lunmapd.service.ctl.path_lines import lost_lines, trouble_lines


class FleetStatus(Struct, frozen=True):
    """What `status -o json` prints: `luns` are there with `--luns` only, `lun_troubles` those that lack a path."""

    cluster: str
    revision: int
    digest: str
    nodes: tuple[NodeLine, ...]
    unreadable: dict[str, str]
    staged: Staged | None = None
    edited: tuple[str, ...] = ()
    lun_count: int = 0
    lun_troubles: tuple[Trouble, ...] = ()
    lost_logins: tuple[LostLogin, ...] = ()
    luns: tuple[LunPaths, ...] | None = None


def summary(fleet: Fleet, *, luns: bool = False) -> FleetStatus:
    """Sum up what was read, each Lun by itself if `luns` says so."""
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
        troubles(paths),
        lost_logins(paths),
        paths if luns else None,
    )


def without_clock(found: FleetStatus) -> FleetStatus:
    """Leave out what changes with the time alone."""
    return replace(found, nodes=tuple(replace(line, lag=None) for line in found.nodes))


def problems_of(found: FleetStatus) -> list[str]:
    """Say everything that is wrong, one sentence each."""
    return [
        *(f"{line.node}: {problem}" for line in found.nodes for problem in line.problems),
        *(f"{path}: {reason}" for path, reason in found.unreadable.items()),
        *(f"{path} was edited around the tools; see 'lunmapctl repair --dry-run'" for path in found.edited),
        *_staged(found.staged),
        *trouble_lines(found.lun_troubles),
    ]


def _staged(staged: Staged | None) -> Iterator[str]:
    if staged:
        yield (
            f"a large commit by {staged.author} is under way, its last part is revision "
            f"{staged.revision} of {staged.time}"
        )


def notes_of(found: FleetStatus) -> list[str]:
    """Say what is worth a look, and may be meant."""
    return list(lost_lines(found.lost_logins))


def all_well(found: FleetStatus) -> bool:
    """Tell whether nothing is wrong anywhere."""
    return (
        not found.unreadable
        and not found.edited
        and not found.staged
        and not found.lun_troubles
        and all(
            line.alive and line.standing is Standing.CONVERGED and line.behind == 0 for line in found.nodes
        )
    )
