"""The verb for monitoring systems that run plugins, such as Nagios and Icinga."""

import sys
from enum import IntEnum

import click

from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.fleet.lun_paths import Trouble
from lunmapd.core.fleet.status import Standing
from lunmapd.service.ctl.cli import Connection
from lunmapd.service.ctl.path_lines import trouble_lines
from lunmapd.service.ctl.summary import FleetStatus, all_well, problems_of, summary


class Level(IntEnum):
    """Exit codes by the Monitoring Plugins' Development Guidelines."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@click.command()
@click.pass_obj
def check(connection: Connection) -> None:
    """Print one line for Nagios and its kin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.

    CRITICAL is a node that is dead or silent, a Lun without any path, or no answer from ZooKeeper.
    """
    try:
        with connection.client() as client:
            found = summary(client.fleet())
    except LunmapdError as error:
        level = Level.CRITICAL if error.exit_code == Exit.UNREACHABLE else Level.UNKNOWN
        _end(level, " ".join(str(error).split()))
    level = _level(found)
    text = f"{len(found.nodes)} nodes have applied revision {found.revision}"
    if level is not Level.OK:
        told = dict.fromkeys((*_not_there(found), *trouble_lines(_outages(found)), *problems_of(found)))
        text = "; ".join(told) or f"not all nodes have applied revision {found.revision}"
    _end(level, f"{text.replace('|', '/')} | {_figures(found)}")


def _level(found: FleetStatus) -> Level:
    if _not_there(found) or _outages(found):
        return Level.CRITICAL
    return Level.OK if all_well(found) else Level.WARNING


def _outages(found: FleetStatus) -> list[Trouble]:
    return [trouble for trouble in found.lun_troubles if trouble.is_outage]


def _not_there(found: FleetStatus) -> list[str]:
    words = {True: "is silent", False: "is dead"}
    return [
        f"{line.node} {words[line.alive]}"
        for line in found.nodes
        if not line.alive or line.standing is Standing.UNKNOWN
    ]


def _figures(found: FleetStatus) -> str:
    nodes, troubles = found.nodes, found.lun_troubles
    figures = {
        "revision": found.revision,
        "nodes": len(nodes),
        "alive": sum(line.alive for line in nodes),
        "behind": sum(line.behind != 0 for line in nodes),
        "lag": _longest_lag(found),
        "failing": sum(line.failing for line in nodes),
        "sessions": sum(line.sessions or 0 for line in nodes),
        "luns": found.lun_count,
        "luns_degraded": sum(len(trouble.luns) for trouble in troubles if not trouble.is_cut_off),
        "luns_without_path": sum(len(trouble.luns) for trouble in troubles if trouble.is_cut_off),
        "lost_logins": sum(len(lost.missing) for lost in found.lost_logins),
    }
    return " ".join(f"{name}={value}" for name, value in figures.items())


def _longest_lag(found: FleetStatus) -> str:
    """Print the longest lag of a node in seconds, U as long as it is not known of any."""
    known = [line.lag for line in found.nodes if line.lag is not None]
    return f"{max(known):.0f}s" if known else "U"


def _end(level: Level, text: str) -> None:
    click.echo(f"LUNMAP {level.name} - {text}")
    sys.exit(level)
