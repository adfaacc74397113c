"""The rollout under way, in sentences and as JSON."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from lunmapd.clock import rfc3339
from lunmapd.core.history.rollout import is_undone

if TYPE_CHECKING:
    from lunmapd.client import Fleet, Snapshot
    from lunmapd.core.history.changes import Rollout


class RolloutReport(Struct, frozen=True):
    """The JSON of `lunmapctl rollout show`, and of `rollout` in `lunmapctl status`.

    `revision` is tried, on the nodes named in `first` or on all; `deadline` (RFC 3339, by the clock of the
    servers) is when it is undone, "" for never. `undone_by` is the revision that undoes it, None as long as
    it is not undone. `nodes` maps each node of the map to `applied`, `pending`, `waits` or `dead`.
    """

    revision: int
    base: int
    first: tuple[str, ...]
    deadline: str
    undone_by: int | None
    nodes: Mapping[str, str]


def rollout_report(fleet: "Fleet") -> RolloutReport | None:
    """Return the rollout under way, None if there is none."""
    rollout = fleet.snapshot.rollout
    if rollout is None:
        return None
    states = {name: _node_state(fleet, rollout, name) for name in sorted(fleet.snapshot.lunmap.nodes)}
    return _report(rollout, fleet.snapshot.revision, states)


def rollout_note(snapshot: "Snapshot") -> Iterator[str]:
    """Yield the sentence about the rollout under way, for verbs that show or plan a map."""
    if snapshot.rollout is not None:
        yield f"lunmapctl: note: {rollout_sentence(_report(snapshot.rollout, snapshot.revision, {}))}"


def _report(rollout: "Rollout", followed: int, nodes: Mapping[str, str]) -> RolloutReport:
    deadline = datetime.fromtimestamp(rollout.began + rollout.seconds, UTC)
    return RolloutReport(
        rollout.revision,
        rollout.base,
        rollout.first,
        rfc3339(deadline) if rollout.seconds else "",
        rollout.undo if is_undone(rollout, followed) else None,
        nodes,
    )


def _node_state(fleet: "Fleet", rollout: "Rollout", name: str) -> str:
    if fleet.nodes[name].live is None:
        return "dead"
    if not is_undone(rollout, fleet.snapshot.revision) and rollout.waits(name):
        return "waits"
    return "pending" if name in fleet.behind(fleet.snapshot.revision) else "applied"


def rollout_sentence(report: RolloutReport) -> str:
    """Return what is tried, and what ends it."""
    tried = f"revision {report.revision} is tried"
    if report.undone_by is not None:
        return (
            f"revision {report.revision} was not confirmed in time: nodes follow revision "
            f"{report.undone_by}, which undoes it; the next commit writes that into the tree, or "
            "'lunmapctl rollout abort'"
        )
    if report.first:
        tried += f" on {', '.join(report.first)}, the other nodes wait for 'lunmapctl rollout continue'"
    if report.deadline:
        tried += f"; a live node undoes it after {report.deadline}, unless 'lunmapctl confirm' keeps it"
    return tried
