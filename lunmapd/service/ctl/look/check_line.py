"""What `lunmapctl check` prints: the level, one line of text, and the figures."""

from lunmapd.core.fleet.path_problems import PathProblem
from lunmapd.core.fleet.status import Standing
from lunmapd.core.node.refused_logins import RefusalCause
from lunmapd.service.ctl.plugin import Level
from lunmapd.service.ctl.text.node_lines import refused_lines
from lunmapd.service.ctl.text.path_lines import path_problem_lines
from lunmapd.service.ctl.text.summary import FleetStatus, all_well, problems_of


def check_line(fleet_status: FleetStatus) -> tuple[Level, str, str]:
    """Return the level, the text and the figures of a status."""
    level = _level(fleet_status)
    return level, _text(fleet_status, level), _figures(fleet_status)


def _text(fleet_status: FleetStatus, level: Level) -> str:
    if level is Level.OK:
        return f"{len(fleet_status.nodes)} nodes have applied revision {fleet_status.revision}"
    sentences = dict.fromkeys(
        (
            *_unavailable(fleet_status),
            *path_problem_lines(_outages(fleet_status)),
            *problems_of(fleet_status),
            *refused_lines(fleet_status.nodes),
        )
    )
    return "; ".join(sentences) or f"not all nodes have applied revision {fleet_status.revision}"


def _level(fleet_status: FleetStatus) -> Level:
    if _unavailable(fleet_status) or _outages(fleet_status):
        return Level.CRITICAL
    return Level.OK if all_well(fleet_status) and not _refuses_known_hosts(fleet_status) else Level.WARNING


def _refuses_known_hosts(fleet_status: FleetStatus) -> bool:
    """Return whether a host failed at its credentials, or was refused since it is not mapped.

    A login that was only not completed may come from a scanner of ports, or a host that is switched off.
    """
    causes = {entry.cause for line in fleet_status.nodes for entry in line.refused}
    return not causes.isdisjoint({RefusalCause.AUTHENTICATION, RefusalCause.AUTHORIZATION})


def _outages(fleet_status: FleetStatus) -> list[PathProblem]:
    return [problem for problem in fleet_status.lun_troubles if problem.is_outage]


def _unavailable(fleet_status: FleetStatus) -> list[str]:
    words = {True: "is silent", False: "is dead"}
    return [
        f"{line.node} {words[line.alive]}"
        for line in fleet_status.nodes
        if not line.alive or line.standing is Standing.UNKNOWN
    ]


def _figures(fleet_status: FleetStatus) -> str:
    nodes, problems = fleet_status.nodes, fleet_status.lun_troubles
    figures = {
        "revision": fleet_status.revision,
        "nodes": len(nodes),
        "alive": sum(line.alive for line in nodes),
        "behind": sum(line.behind != 0 for line in nodes),
        "lag": _longest_lag(fleet_status),
        "failing": sum(line.failing for line in nodes),
        "sessions": sum(line.sessions or 0 for line in nodes),
        "luns": fleet_status.lun_count,
        "luns_degraded": sum(len(problem.luns) for problem in problems if not problem.is_cut_off),
        "luns_without_path": sum(len(problem.luns) for problem in problems if problem.is_cut_off),
        "luns_different": len({each.lun for each in fleet_status.backing_differences if each.serious}),
        "lost_logins": sum(len(lost.missing) for lost in fleet_status.lost_logins),
        "refused_logins": sum(entry.count for line in nodes for entry in line.refused),
    }
    return " ".join(f"{name}={value}" for name, value in figures.items())


def _longest_lag(fleet_status: FleetStatus) -> str:
    """Format the longest lag of any node in seconds; U (unknown) while no node's lag is known."""
    known = [line.lag for line in fleet_status.nodes if line.lag is not None]
    return f"{max(known):.0f}s" if known else "U"
