"""The paths of mapped Luns: a commit that changes one must name the Lun, or the nodes must prove it harmless.

The serial, and with it the WWID, stays as it is, so no setting, login or rescan of an initiator can notice
that another path has other data.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.backing_reports import BackingReport
from lunmapd.core.base.backings import plugin_of, source_field
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, reporting_nodes
from lunmapd.core.base.text import first_of
from lunmapd.core.map.node_sources import rewrites_differ, sources_on_nodes
from lunmapd.core.placement.backing_paths import source_on

_MAX_NAMED = 4


class SourceChange(Struct, frozen=True):
    """A mapped Lun gets another path or configuration on a node; `place` is the field that is responsible."""

    lun: str
    node: str
    old: str
    new: str
    place: Place


class Evidence(Struct, frozen=True):
    """What a node knows of a change: whether both paths lead to the `same` device, and a sentence."""

    same: bool
    sentence: str


Evidences = Mapping[tuple[str, str], Evidence]
"""The evidence by the names of the Lun and of the node."""

NO_EVIDENCE: Evidences = {}


def check_sources(before: Lunmap, after: Lunmap, rebacking: AbstractSet[str]) -> Iterator[Problem]:
    """Check that every Lun mapped in both maps keeps its path or configuration on each node.

    The Luns named in `rebacking` may change it. Devices are not compared, only paths.
    """
    return judge_source_changes(find_source_changes(before, after, rebacking))


def find_source_changes(before: Lunmap, after: Lunmap, rebacking: AbstractSet[str]) -> Iterator[SourceChange]:
    """Yield the changed paths of the Luns that are mapped in both maps and not named in `rebacking`."""
    rewriting = rewrites_differ(before, after)
    for name in sorted((before.luns.keys() & after.luns.keys()) - rebacking):
        was, now = before.luns[name], after.luns[name]
        # Another kind of backing is refused in any case (changes.py).
        if (rewriting or was != now) and plugin_of(was.backing) == plugin_of(now.backing):
            yield from _sources(before, after, name)


def judge_source_changes(
    changes: Iterable[SourceChange], evidence: Evidences = NO_EVIDENCE
) -> Iterator[Problem]:
    """Report the changes of each Lun unless each of its nodes has proven that the device is the same."""
    by_lun = defaultdict[str, list[SourceChange]](list)
    for change in changes:
        by_lun[change.lun].append(change)
    for of_lun in by_lun.values():
        found = {change.node: evidence.get((change.lun, change.node)) for change in of_lun}
        if all(known is not None and known.same for known in found.values()):
            continue
        for change in of_lun:
            known = found[change.node]
            yield Problem(change.place, _sentence(change) + (f"; {known.sentence}" if known else ""))


def weigh_evidence(change: SourceChange, report: BackingReport | None, *, is_current: bool) -> Evidence:
    """Return what the report of a node says about a change.

    `is_current` says that the node lives and is not silent, so that its report describes the present.
    """
    node, old, new = change.node, change.old, change.new
    if not is_current:
        return Evidence(same=False, sentence=f"{node} is not alive, so it can't say what it has opened")
    if report is None:
        return Evidence(same=False, sentence=f"{node} does not report that it has opened the Lun")
    if report.path != old:
        return Evidence(same=False, sentence=f"{node} has opened {report.path}, not {old}")
    if new in report.names:
        return Evidence(same=True, sentence=f"{node} knows {new} as another name of the opened device")
    if not report.names:
        return Evidence(same=False, sentence=f"{node} knows no other name of what it has opened")
    names = first_of(report.names, _MAX_NAMED)
    return Evidence(
        same=False, sentence=f"{node} does not know {new} as a name of the opened device, only {names}"
    )


def _sources(before: Lunmap, after: Lunmap, name: str) -> Iterator[SourceChange]:
    """Compare the nodes that report the Lun in both maps; if no node does, those that report it now."""
    was, now = before.luns[name], after.luns[name]
    if not was.maps or not now.maps:
        return
    earlier, later = set(reporting_nodes(before, was)), set(reporting_nodes(after, now))
    nodes = sorted((earlier & later or later) & after.nodes.keys())
    for node, former, old, new in sources_on_nodes(before, was, after, now, nodes):
        if old != new:
            yield SourceChange(name, node, old, new, _place(name, was, now, node, former))


def _place(name: str, was: Lun, now: Lun, node: str, former: Node) -> Place:
    """Return the field that is responsible: that of the Lun if it alone changes the path, else the node's."""
    if source_on(was, node, former) == source_on(now, node, former):
        return ("nodes", node, "devices")
    overrides = (getattr(lun.backing, "overrides", {}).get(node) for lun in (was, now))
    if len(set(overrides)) > 1:
        return ("luns", name, "backing", "overrides", node)
    return ("luns", name, "backing", source_field(now.backing))


def _sentence(change: SourceChange) -> str:
    return (
        f"on node {change.node} Lun {change.lun} would change from {change.old} to {change.new}: other data "
        "under the same WWID, which no initiator notices; make a new Lun for other data; to allow it, as for "
        f"another name of the same device: --rebacking {change.lun}"
    )
