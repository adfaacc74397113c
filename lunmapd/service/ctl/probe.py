"""`lunmapctl probe`: the cluster as an initiator on this machine sees it."""

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import Struct

from lunmapd.client import Fleet
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.names import parse_portal
from lunmapd.core.probe.promise import only, promised_portals, unaddressed_nodes, with_address
from lunmapd.core.probe.result import ProbeResult, probe_result
from lunmapd.core.probe.setup import NoProbeError, UnknownNameError, check_probe, chosen_luns, mapped_luns
from lunmapd.initiator import libiscsi, walk
from lunmapd.initiator.connection import InitiatorAccess
from lunmapd.service.ctl.connection import Connection
from lunmapd.service.ctl.plugin import Level, end_with, end_with_error
from lunmapd.service.ctl.probe_access import DEFAULT_ACCESS_FILE, ProbeAccess, read_access
from lunmapd.service.ctl.text.probe_lines import (
    ProbeReport,
    finding_lines,
    path_line,
    probe_figures,
    probe_paragraphs,
)
from lunmapd.service.output import echo, echo_json, echo_paragraphs

_NOBODY = "iqn.2026-01.invalid.lunmapd:probe"
"""The name for discovery without access: RFC 2606 reserves the domain, so no map has it for a host."""

_PROGRESS_INTERVAL = 1.0  # seconds


class ProbeOptions(Struct, frozen=True):
    """The options of the verb."""

    names: tuple[str, ...]
    nodes: tuple[str, ...]
    addresses: Mapping[str, str]
    access: Path | None
    step: float
    deadline: float
    reads: bool


@click.command()
@click.argument("names", nargs=-1, metavar="[HOST|LUN]...")
@click.option("--node", "nodes", multiple=True, help="Only the portals of this node. Repeatable.")
@click.option(
    "--portal",
    "addresses",
    multiple=True,
    metavar="NODE=ADDRESS",
    help="The address of a node whose portals are on all addresses (0.0.0.0). Repeatable.",
)
@click.option(
    "--access",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="LUNMAPCTL_PROBE_ACCESS",
    help=f"The probe's name and passwords, as probe-setup writes them.  [default: {DEFAULT_ACCESS_FILE}]",
)
@click.option("--read", "reads", is_flag=True, help="Also read the first and the last block of each LUN.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="For each connection, login and command.",
)
@click.option(
    "--deadline",
    type=click.FloatRange(0.1, 86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For the whole probe; what is left then is reported as not probed.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "plugin"]),
    default="table",
    show_default=True,
    help="For people, for programs, or one line with the exit codes of `check`.",
)
@click.pass_obj
def probe(
    connection: Connection,
    names: tuple[str, ...],
    nodes: tuple[str, ...],
    addresses: tuple[str, ...],
    access: Path | None,
    reads: bool,
    timeout: float,
    deadline: float,
    output: str,
) -> None:
    """Compare what an initiator on this machine sees with the map, without writing anything.

    Every portal is asked for its targets. With an access file the probe also logs in, and asks each LUN that
    is mapped to it for its identity, size and ALUA state. LUN limits it to the paths of this Lun, HOST to the
    Luns of this initiator. Exit code 6 if anything is not as the map promises.
    """
    placed = dict(map(_parse_address, addresses))
    options = ProbeOptions(names, nodes, placed, access, timeout, deadline, reads)
    try:
        result, report = _probe(connection, options)
    except LunmapdError as error:
        if output == "plugin":
            end_with_error("PROBE", error)
        raise
    if output == "plugin":
        _end(result, report)
    elif output == "json":
        echo_json(report)
    else:
        echo_paragraphs(*probe_paragraphs(report))
    if report.findings:
        sys.exit(Exit.DEGRADED)


def _parse_address(text: str) -> tuple[str, str]:
    node, _, address = text.partition("=")
    try:
        return node, parse_portal(address)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--portal") from None


def _end(result: ProbeResult, report: ProbeReport) -> None:
    level = Level.CRITICAL if result.is_outage else Level.WARNING if report.findings else Level.OK
    well = f"{len(report.portals)} portals and {len(report.paths)} paths are as in revision {report.revision}"
    text = "; ".join(finding_lines(report.findings)) or well
    end_with("PROBE", level, text, probe_figures(report))


def _probe(connection: Connection, options: ProbeOptions) -> tuple[ProbeResult, ProbeReport]:
    begun, loaded, access = time.monotonic(), libiscsi.load(), _access(options.access)
    with connection.client() as client:
        fleet = client.fleet()
        result = _walk(loaded, fleet, access, options)
        newest = client.newest()
    snapshot = fleet.snapshot
    return result, ProbeReport(
        cluster=snapshot.cluster,
        revision=snapshot.revision,
        newest=newest,
        initiator="" if access is None else access.initiator,
        seconds=round(time.monotonic() - begun, 3),
        behind=_behind(fleet),
        portals=result.portals,
        luns=result.luns,
        paths=tuple(map(path_line, result.paths)),
        findings=result.findings,
    )


def _access(path: Path | None) -> ProbeAccess | None:
    """Read the access file; None if it is the default one and absent."""
    if path is None and not DEFAULT_ACCESS_FILE.exists():
        return None
    return read_access(path or DEFAULT_ACCESS_FILE)


def _walk(
    loaded: libiscsi.Libiscsi, fleet: Fleet, access: ProbeAccess | None, options: ProbeOptions
) -> ProbeResult:
    lunmap = fleet.snapshot.lunmap
    if unknown := sorted({*options.nodes, *options.addresses} - lunmap.nodes.keys()):
        raise UnknownNameError(f"the map has no node {unknown[0]!r}; 'lunmapctl get nodes' lists them")
    for node, address in options.addresses.items():
        lunmap = with_address(lunmap, node, address)
    luns = chosen_luns(lunmap, options.names) if options.names else None
    if access is None and luns is not None:
        raise NoProbeError(
            f"without {DEFAULT_ACCESS_FILE} or --access only portals can be probed: 'lunmapctl probe-setup' "
            "makes a probe that can log in"
        )
    if access is None:
        own, initiator = InitiatorAccess(_NOBODY), ""
    else:
        own, initiator = access.as_in_map(check_probe(lunmap, access.initiator)), access.initiator
    promised = promised_portals(lunmap, initiator, fleet.owners(datetime.now(UTC)))
    portals = tuple(only(promised, luns, frozenset(options.nodes)))
    lingering = _nodes_with_session(fleet, initiator) if options.reads else frozenset[str]()
    reads = lunmap.nodes.keys() - lingering if options.reads else frozenset[str]()
    limits = walk.WalkOptions(options.step, time.monotonic() + options.deadline, reads)
    answers = walk.probe_portals(loaded, own, portals, limits, _Progress(len(portals)))
    unmapped = frozenset[str]() if luns is None else luns - mapped_luns(lunmap, initiator)
    unaddressed = unaddressed_nodes(lunmap, luns)
    if options.nodes:
        unaddressed = unaddressed.intersection(options.nodes)
    return probe_result(answers, unmapped, lingering, unaddressed)


def _nodes_with_session(fleet: Fleet, initiator: str) -> frozenset[str]:
    """Return the nodes whose status lists a session of the probe.

    A read of a device that does not answer leaves its session in LIO until the device answers. Further reads
    would add up such sessions.
    """
    return frozenset(
        name
        for name, node in fleet.nodes.items()
        if node.live is not None
        and node.status is not None
        and any(login.initiator == initiator for login in node.status.logins)
    )


def _behind(fleet: Fleet) -> dict[str, int | None]:
    lags = {name: fleet.lag(name) for name in fleet.nodes if name in fleet.snapshot.lunmap.nodes}
    behind = {name: None if lag is None else lag.revisions for name, lag in lags.items()}
    return {name: revisions for name, revisions in behind.items() if revisions != 0}


class _Progress:
    """Reports on standard error, at most once a second, which portal is probed."""

    def __init__(self, count: int) -> None:
        self._count, self._done = count, 0
        self._next = time.monotonic() + _PROGRESS_INTERVAL

    def __call__(self, portal: str) -> None:
        self._done += 1
        if time.monotonic() >= self._next:
            echo(f"lunmapctl: portal {self._done} of {self._count}, {portal}", err=True)
            self._next = time.monotonic() + _PROGRESS_INTERVAL
