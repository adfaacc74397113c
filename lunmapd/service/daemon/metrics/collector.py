"""Metrics for Prometheus: a registry that each cycle fills; server.py serves it.

Names and units follow https://prometheus.io/docs/practices/naming/. No label has the name of a Lun, an
initiator or a target, so that 10,000 Luns have as many series as ten.
"""

import time
from collections import Counter as Counted
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import product
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from lunmapd import __version__
from lunmapd.agent.floating.view import GroupView
from lunmapd.agent.loop.policy import BEAT
from lunmapd.agent.loop.report import CycleResult
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import EMPTY_MAP
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.shared_backings import shared_backings
from lunmapd.core.fleet.status import GroupPhase, NodeStatus
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.refused_logins import RefusalCause
from lunmapd.core.placement.alua_states import sole_path_luns
from lunmapd.core.planning.drift import CLASSES

_KINDS: Mapping[type, str] = {
    lio_objects.StorageObject: "StorageObject",
    lio_objects.Target: "Target",
    lio_objects.Tpg: "Tpg",
    lio_objects.TpgLun: "TpgLun",
    lio_objects.NodeAcl: "NodeAcl",
    lio_objects.MappedLun: "MappedLun",
    lio_objects.Portal: "Portal",
    lio_objects.Enabled: "Enabled",
    lio_objects.DiscoveryAuth: "DiscoveryAuth",
    lio_objects.Leftover: "Leftover",
}
"""The label `kind` of each class of objects. Dashboards use it, so it does not follow the class names."""

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class _Series(NamedTuple):
    """The metrics that each cycle adds to."""

    turns: Counter
    took: Histogram
    actions: Counter
    drift: Counter
    refused: Counter
    ended: Gauge


def _register(registry: CollectorRegistry, node: str) -> _Series:
    """Register these metrics, with values of a daemon that has not run a cycle yet."""
    turn = "lunmapd_turn_duration_seconds", "How long turns took."
    drift = "lunmapd_drift", "Objects that were changed outside lunmapd."
    ended = "lunmapd_last_turn_timestamp_seconds", "When the last turn ended, or the daemon began."
    series = _Series(
        Counter("lunmapd_turns", "Turns of the loop.", ["result"], registry=registry),
        Histogram(*turn, buckets=_SECONDS, registry=registry),
        Counter("lunmapd_actions", "Steps taken in LIO.", ["action", "kind", "result"], registry=registry),
        Counter(*drift, ["class", "answer"], registry=registry),
        Counter("lunmapd_refused_logins", "Logins that LIO has refused.", ["cause"], registry=registry),
        Gauge(*ended, registry=registry),
    )
    info = Gauge("lunmapd_build_info", "The version, and the node.", ["version", "node"], registry=registry)
    info.labels(__version__, node).set(1)
    _begin(series)
    return series


def _begin(series: _Series) -> None:
    """Let each series exist from the start, and let a first cycle that hangs show."""
    series.ended.set_to_current_time()
    for result in ("converged", "incomplete", "failed"):
        series.turns.labels(result)
    for name, answer in product(CLASSES, ("repaired", "reported")):
        series.drift.labels(name, answer)
    for cause in RefusalCause:
        series.refused.labels(cause.value)


class Metrics:
    """The metrics of one node.

    `connected` returns whether there is a connection to ZooKeeper, `groups` the present state of the floating
    groups. `now` is a monotonic clock in seconds, and a cycle is due every `beat` seconds.
    """

    def __init__(
        self,
        node: str,
        connected: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
        *,
        groups: Callable[[], Sequence[GroupView]] = tuple,
        beat: float = BEAT,
    ) -> None:
        """Register all metrics, with values of a daemon that has not run a cycle yet."""
        self.registry = CollectorRegistry()
        self._node = node
        self._lunmap = EMPTY_MAP
        self._observed = Observed()
        self._connected = connected
        self._now = now
        self._groups = groups
        self._desired = 0
        self._tried = 0
        self._beat = beat
        self._status: NodeStatus | None = None
        self._behind_since: float | None = None
        self._series = _register(self.registry, node)
        self._reported: AbstractSet[lio_objects.Key] = frozenset()
        self.registry.register(self)

    def note(self, cycle: CycleResult, status: NodeStatus, seconds: float) -> None:
        """Record a cycle that took so many seconds, and the status after it."""
        self._series.turns.labels(_result(cycle)).inc()
        self._series.took.observe(seconds)
        self._series.ended.set_to_current_time()
        for report in cycle.result.done if cycle.result is not None else ():
            step, result = report.step, "failed" if report.failure else "done"
            self._series.actions.labels(step.action.value, _KINDS[type(step.item)], result).inc()
        if cycle.result is not None:
            self._note_drift(cycle.result)
            for cause, count in cycle.refusals.grown.items():
                self._series.refused.labels(cause.value).inc(count)
        self._status, self._beat, self._lunmap = status, status.beat, cycle.lunmap
        if cycle.result is not None:
            self._observed = cycle.result.observed
        self._desired = cycle.at.revision if cycle.at is not None else 0
        self._tried = cycle.tried
        behind = status.observed is not None and status.applied != status.observed
        if not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._now()

    def _note_drift(self, result: PassResult) -> None:
        repaired = {
            lio_objects.key_of(report.step.item)
            for report in result.done
            if report.step.drift and report.failure is None
        }
        reported = {name for name, failure in result.failures.items() if failure.reason == Reason.DRIFTED}
        for answer, names in (("repaired", repaired), ("reported", reported - self._reported)):
            for name in names:
                self._series.drift.labels(name[0], answer).inc()
        self._reported = reported

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the connection and of the status, as the registry asks for them."""
        yield _gauge(
            "lunmapd_zookeeper_connected", "Whether there is a connection now.", int(self._connected())
        )
        yield _gauge("lunmapd_beat_seconds", "A cycle is due at least every so many seconds.", self._beat)
        yield from self._of_leases()
        if self._status is not None:
            yield from self._of_revisions(self._status)
            yield from self._of_objects(self._status)
            yield from self._of_groups(self._status)
            yield from self._of_backings(self._status)

    def _of_groups(self, status: NodeStatus) -> Iterator[Metric]:
        owner = GaugeMetricFamily(
            "lunmapd_floating_owner", "Whether this node serves the floating group.", labels=_GROUP
        )
        fit = GaugeMetricFamily(
            "lunmapd_floating_fit", "Whether this node can own the floating group.", labels=_GROUP
        )
        for group in status.floating:
            labels = [group.target, group.name]
            owner.add_metric(labels, int(group.phase == GroupPhase.OWNER))
            fit.add_metric(labels, int(group.fit))
        yield from (owner, fit)

    def _of_leases(self) -> Iterator[Metric]:
        """Yield what changes between the cycles; a group's thread that hangs shows by its lease."""
        seconds = GaugeMetricFamily(
            "lunmapd_floating_lease_seconds",
            "How long this node's lease of the floating group still lasts without a renewal, 0 for no lease.",
            labels=_GROUP,
        )
        takes = CounterMetricFamily(
            "lunmapd_floating_takes", "How often this node has taken the floating group.", labels=_GROUP
        )
        now = boot_time()
        for view in self._groups():
            seconds.add_metric(view.id, max(0.0, view.lease_end - now))
            takes.add_metric(view.id, view.takes)
        yield from (seconds, takes)

    def _of_backings(self, status: NodeStatus) -> Iterator[Metric]:
        cluster = status.observed.cluster if status.observed is not None else ""
        totals = shared_backings(self._lunmap, self._node, self._observed)
        for field, text in _SHARED.items():
            family = GaugeMetricFamily(f"lunmapd_shared_{field}", text, labels=["cluster", "nodes"])
            for nodes, total in sorted(totals.items()):
                family.add_metric([cluster, ",".join(nodes)], getattr(total, field))
            yield family

    def _of_revisions(self, status: NodeStatus) -> Iterator[Metric]:
        observed, applied = status.observed, status.applied
        if observed is not None:
            yield _by("lunmapd_cluster_info", "The cluster of the map.", "cluster", {observed.cluster: 1})
        yield _gauge("lunmapd_desired_revision", "Revision of the effective map, 0 for none.", self._desired)
        yield _gauge("lunmapd_rollout_revision", "Revision that is tried in a rollout, or 0.", self._tried)
        yield _gauge(
            "lunmapd_observed_revision", "Newest revision read.", observed.revision if observed else 0
        )
        yield _gauge(
            "lunmapd_applied_revision",
            "Last revision that was observed in LIO.",
            applied.revision if applied else 0,
        )
        behind = self._behind_since
        lag = 0.0 if behind is None else self._now() - behind
        yield _gauge("lunmapd_lag_seconds", "How long LIO has not been as the newest revision says.", lag)

    def _of_objects(self, status: NodeStatus) -> Iterator[Metric]:
        yield _gauge(
            "lunmapd_former_luns",
            "Luns that hosts may still hold under a LUN number that leads elsewhere.",
            status.former_count,
        )
        yield _gauge("lunmapd_sessions", "iSCSI sessions at the last full pass.", status.sessions)
        yield _gauge("lunmapd_hosts", "Initiators with a session at the last full pass.", status.hosts)
        yield _gauge("lunmapd_failing_objects", "Objects that are not as the map says.", status.failing_count)
        yield _gauge(
            "lunmapd_sole_path_luns",
            "Mapped Luns to which the map has no other path that accepts I/O.",
            sole_path_luns(self._lunmap, self._node),
        )
        yield _by(
            "lunmapd_failing_reasons",
            "Those that the status lists, by reason.",
            "reason",
            Counted(entry.reason for entry in status.failing),
        )
        yield _by(
            "lunmapd_condition",
            "1 where the condition is true, 0 where it is false.",
            "type",
            {entry.type: int(entry.status) for entry in status.conditions},
        )


_GROUP = ("target", "group")
_SHARED = {
    "luns": "Luns that these nodes report, and of which this one has opened a file or device.",
    "bytes": "The bytes that initiators see of these Luns through this node.",
    "blocks": "The same in logical blocks.",
}


def _result(cycle: CycleResult) -> str:
    if cycle.store_error is not None or cycle.error is not None:
        return "failed"
    return "converged" if cycle.converged else "incomplete"


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _by(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
