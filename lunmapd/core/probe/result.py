"""The result of a probe: its portals, paths and Luns, and all findings."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.text import first_of
from lunmapd.core.probe.answers import Outcome, PortalAnswer
from lunmapd.core.probe.compare import ProbedPath, compare_portal, probed_paths
from lunmapd.core.probe.findings import Finding, FindingReason
from lunmapd.core.probe.promise import PromisedPortal

_MAX_NAMED = 3


class ProbedPortal(Struct, frozen=True):
    """A portal and how it answered discovery, with the milliseconds that this took."""

    node: str
    portal: str
    outcome: Outcome
    milliseconds: float


class ProbedLun(Struct, frozen=True):
    """A Lun: how many of its paths serve it, and how many hosts should be able to use.

    A path is a portal of a node and a target. `unknown` of the intended ones were not probed.
    """

    lun: str
    serving: int
    intended: int
    unknown: int = 0

    @property
    def is_cut_off(self) -> bool:
        """Whether hosts should be able to use it, and all its paths were probed and none serves it."""
        return self.intended > 0 and not self.serving and not self.unknown


class ProbeResult(Struct, frozen=True):
    """Portals, paths and Luns in the order of the map, and every finding."""

    portals: tuple[ProbedPortal, ...]
    paths: tuple[ProbedPath, ...]
    luns: tuple[ProbedLun, ...]
    findings: tuple[Finding, ...]

    @property
    def is_outage(self) -> bool:
        """Whether a Lun has no path that serves it, or no portal answers at all."""
        alive = (Outcome.ANSWERS, Outcome.REFUSES, Outcome.NOT_ASKED)
        silent = bool(self.portals) and all(portal.outcome not in alive for portal in self.portals)
        return silent or any(lun.is_cut_off for lun in self.luns)


def probe_result(
    answers: Iterable[tuple[PromisedPortal, PortalAnswer]],
    unmapped: Iterable[str] = (),
    unread: AbstractSet[str] = frozenset(),
    unaddressed: Iterable[str] = (),
) -> ProbeResult:
    """Return the result of a probe.

    `unmapped` are the Luns that were asked for and are not mapped to it, `unread` the nodes where no block
    was read because an earlier session of the probe may still be there, `unaddressed` those whose address
    the map does not have.
    """
    portals, paths, findings = list[ProbedPortal](), list[ProbedPath](), list[Finding]()
    for promised, answer in answers:
        milliseconds = round(answer.seconds * 1000, 1)
        portals.append(ProbedPortal(promised.node, promised.portal, answer.outcome, milliseconds))
        findings += compare_portal(promised, answer)
        here = list(probed_paths(promised, answer))
        paths += here
        findings += (finding for path in here for finding in path.findings)
    findings += _unequal(paths)
    findings += (_not_read(node) for node in sorted(unread & {item.node for item in portals}))
    findings += (_not_addressed(node) for node in sorted(unaddressed))
    findings += (_not_mapped(lun) for lun in sorted(unmapped))
    return ProbeResult(tuple(portals), tuple(paths), tuple(_luns(paths)), tuple(findings))


def _not_mapped(lun: str) -> Finding:
    message = "it is not mapped to the probe: 'lunmapctl probe-setup' does that"
    return Finding(reason=FindingReason.NOT_MAPPED, message=message, lun=lun)


def _not_addressed(node: str) -> Finding:
    message = (
        f"its portals are on all addresses, which the map does not have: give one with --portal {node}=..."
    )
    return Finding(reason=FindingReason.NOT_PROBED, message=message, node=node)


def _not_read(node: str) -> Finding:
    message = (
        "no block was read: the node's status lists a session of this probe, which may be an earlier one "
        "that waits for a device"
    )
    return Finding(reason=FindingReason.NOT_PROBED, message=message, node=node)


def _by_lun(paths: Iterable[ProbedPath]) -> dict[str, list[ProbedPath]]:
    luns = defaultdict[str, list[ProbedPath]](list)
    for path in paths:
        luns[path.promised.lun].append(path)
    return dict(sorted(luns.items()))


def _luns(paths: Iterable[ProbedPath]) -> Iterator[ProbedLun]:
    for name, own in _by_lun(paths).items():
        unknown = sum(path.is_intended and path.blocked is FindingReason.NOT_PROBED for path in own)
        serving = sum(path.serves for path in own)
        yield ProbedLun(name, serving, sum(path.is_intended for path in own), unknown)


def _unequal(paths: Iterable[ProbedPath]) -> Iterator[Finding]:
    """Yield the Luns that are not the same on all paths that answered, as multipath needs."""
    for name, own in _by_lun(paths).items():
        for what, values in (
            ("NAA identifiers", _values(own, "naa")),
            ("sizes", _values(own, "size")),
            ("block sizes", _values(own, "block_size")),
        ):
            if len(values) > 1:
                groups = "; ".join(f"{value} at {first_of(at, _MAX_NAMED)}" for value, at in values.items())
                message = f"its paths have different {what}: {groups}"
                yield Finding(reason=FindingReason.PATHS_DIFFER, message=message, lun=name)


def _values(paths: Sequence[ProbedPath], what: str) -> dict[object, list[str]]:
    """Return each value that paths answered, with the nodes of these paths."""
    values = defaultdict[object, list[str]](list)
    for path in paths:
        value = _value(path, what)
        if value is not None and path.node not in values[value]:
            values[value].append(path.node)
    return {value: nodes for value, nodes in values.items() if nodes}


def _value(path: ProbedPath, what: str) -> object:
    answer = path.answer
    if answer is None:
        return None
    if what == "naa":
        return None if answer.device_id is None else " ".join(answer.device_id.naa)
    return None if answer.capacity is None else getattr(answer.capacity, what)
