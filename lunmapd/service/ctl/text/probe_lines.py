"""The result of a probe: as JSON, as tables and sentences, and as figures."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.text import first_of, human_size
from lunmapd.core.probe.answers import LunAnswer
from lunmapd.core.probe.compare import ProbedPath
from lunmapd.core.probe.findings import Finding
from lunmapd.core.probe.result import ProbedLun, ProbedPortal
from lunmapd.core.probe.scsi import PortGroup
from lunmapd.service.table import table

_MAX_NAMED = 3
_MAX_LINES = 50


class PathLine(Struct, frozen=True, kw_only=True):
    """One path in the JSON of `probe`: what the LUN answered, None where it gave no answer.

    `size` is in bytes. `reasons` are those of the findings about this path, its portal's first.
    """

    lun: str
    node: str
    portal: str
    target: str
    number: int
    intended: bool
    serves: bool
    reasons: tuple[str, ...]
    vendor: str | None
    product: str | None
    serial: str | None
    naa: tuple[str, ...] | None
    size: int | None
    block_size: int | None
    alua: str | None
    preferred: bool | None
    port_group: int | None
    relative_port: int | None
    read_only: bool | None
    read: bool | None
    reserved: bool


class ProbeReport(Struct, frozen=True, kw_only=True):
    """The JSON of `probe`.

    `initiator` is "" if it had no access. `revision` is that of the map that was probed, `newest` that at the
    end. `behind` maps the nodes that have not applied `revision` to the number of revisions that they lack,
    None if that is not known.
    """

    cluster: str
    revision: int
    newest: int
    initiator: str
    seconds: float
    behind: Mapping[str, int | None]
    portals: tuple[ProbedPortal, ...]
    luns: tuple[ProbedLun, ...]
    paths: tuple[PathLine, ...]
    findings: tuple[Finding, ...]


def path_line(path: ProbedPath) -> PathLine:
    """Return a path as JSON has it."""
    answer = path.answer or LunAnswer()
    inquiry, device, capacity, group = answer.inquiry, answer.device_id, answer.capacity, _group(answer)
    return PathLine(
        lun=path.promised.lun,
        node=path.node,
        portal=path.portal,
        target=path.target,
        number=path.promised.number,
        intended=path.is_intended,
        serves=path.serves,
        reasons=tuple(reason.value for reason in path.reasons),
        vendor=None if inquiry is None else inquiry.vendor,
        product=None if inquiry is None else inquiry.product,
        serial=answer.serial,
        naa=None if device is None else device.naa,
        size=None if capacity is None else capacity.size,
        block_size=None if capacity is None else capacity.block_size,
        alua=None if group is None or group.state is None else group.state.value,
        preferred=None if group is None else group.preferred,
        port_group=None if device is None else device.port_group,
        relative_port=None if device is None else device.relative_port,
        read_only=answer.read_only,
        read=answer.is_read,
        reserved=answer.is_reserved,
    )


def _group(answer: LunAnswer) -> PortGroup | None:
    """Return the target port group of the path, if the LUN reported both."""
    if answer.device_id is None or answer.device_id.port_group is None or answer.port_groups is None:
        return None
    return answer.port_groups.get(answer.device_id.port_group)


def probe_paragraphs(report: ProbeReport) -> Iterator[list[str]]:
    """Yield the lines of a headline, of the tables of portals and Luns, of the findings and of the notes."""
    who = report.initiator or "nobody: discovery only"
    yield [f"cluster {report.cluster}, revision {report.revision}, probed as {who} in {report.seconds:.1f} s"]
    yield _portals_table(report)
    yield _luns_table(report) if report.luns else []
    yield list(finding_lines(report.findings))
    yield _notes(report)


def _portals_table(report: ProbeReport) -> list[str]:
    rows = [(item.node, item.portal, item.outcome, item.milliseconds) for item in report.portals]
    return table(("NODE", "PORTAL", "STATE", "MS"), rows)


def _luns_table(report: ProbeReport) -> list[str]:
    paths = defaultdict[str, list[PathLine]](list)
    for path in report.paths:
        paths[path.lun].append(path)
    rows = [
        (
            lun.lun,
            f"{lun.serving}/{lun.intended}",
            " ".join(dict.fromkeys(human_size(path.size) for path in paths[lun.lun] if path.size)) or "-",
            ", ".join(dict.fromkeys(f"{path.node} {_word(path)}" for path in paths[lun.lun])),
        )
        for lun in report.luns
    ]
    return table(("LUN", "PATHS", "SIZE", "NODES"), rows)


def _word(path: PathLine) -> str:
    if path.reasons:
        return path.reasons[0]
    if not path.intended:
        return path.alua or "drained"
    return "ok"


def finding_lines(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Yield the findings, Luns with the same one in one line, in a bounded number of lines."""
    groups = defaultdict[Finding, list[str]](list)
    for each in findings:
        groups[replace(each, lun="")].append(each.lun)
    lines = [_line(finding, luns) for finding, luns in groups.items()]
    yield from lines[:_MAX_LINES]
    if (more := len(lines) - _MAX_LINES) > 0:
        yield f"{more} more findings; '-o json' has all"


def _line(finding: Finding, luns: list[str]) -> str:
    named = first_of([f"luns/{lun}" for lun in luns if lun], _MAX_NAMED)
    place = " ".join(filter(None, (finding.node, finding.portal, finding.target, named)))
    return f"{place}: {finding.reason}: {finding.message}"


def _notes(report: ProbeReport) -> list[str]:
    notes = [
        f"note: {node} has not applied revision {report.revision}"
        + (f": it is {behind} behind" if behind else "")
        for node, behind in report.behind.items()
    ]
    if report.newest != report.revision:
        notes.append(f"note: the map changed meanwhile to revision {report.newest}: repeat the probe")
    return notes


def probe_figures(report: ProbeReport) -> str:
    """Return the performance data of the plugin."""
    figures = {
        "portals": len(report.portals),
        "portals_answering": sum(item.outcome in {"answers", "refuses"} for item in report.portals),
        "luns": len(report.luns),
        "luns_without_path": sum(lun.is_cut_off for lun in report.luns),
        "paths": sum(path.intended for path in report.paths),
        "paths_serving": sum(path.serves for path in report.paths),
        "findings": len(report.findings),
        "time": f"{report.seconds:.3f}s",
    }
    return " ".join(f"{name}={value}" for name, value in figures.items())
