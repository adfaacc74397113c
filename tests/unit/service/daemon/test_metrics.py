"""The figures for Prometheus."""

import json
import re
import time
from pathlib import Path
from typing import get_args

from msgspec.structs import replace
from prometheus_client import generate_latest

from fakes.clock import Clock
from lunmapd.agent.loop.report import CycleResult
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import HistoryPoint
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.service.daemon.metrics.collector import _KINDS, Metrics
from lunmapd.store.session.errors import UnreachableError
from support.node_metrics import DONE, STATUS, STEP, full

KINDS = {
    "DiscoveryAuth", "Enabled", "Leftover", "MappedLun", "NodeAcl", "Portal", "StorageObject", "Target", "Tpg", "TpgLun",
}  # fmt: skip


def scraped(metrics: Metrics) -> dict[str, float]:
    """Return every sample by its name and labels."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def test_each_kind_of_object_has_its_label() -> None:
    """Dashboards name them."""
    assert set(_KINDS) == set(get_args(lio_objects.Object))
    assert set(_KINDS.values()) == KINDS


def test_a_revision_that_is_tried_is_shown() -> None:
    """As long as its rollout is not over."""
    metrics = full()
    assert scraped(metrics)["lunmapd_rollout_revision"] == 0
    metrics.note(CycleResult(tried=8), STATUS, 0.1)
    assert scraped(metrics)["lunmapd_rollout_revision"] == 8


def test_a_turn_is_counted() -> None:
    """Cycles by result, steps by action, kind and result, revisions, sessions, failures and conditions."""
    found = scraped(full())
    assert found['lunmapd_turns_total{result="converged"}'] == 1
    assert found['lunmapd_actions_total{action="create",kind="Target",result="done"}'] == 1
    assert found['lunmapd_actions_total{action="create",kind="Target",result="failed"}'] == 1
    assert [found[f"lunmapd_{name}_revision"] for name in ("desired", "observed", "applied")] == [7, 7, 6]
    assert (found["lunmapd_sessions"], found["lunmapd_failing_objects"]) == (3, 1)
    assert found["lunmapd_former_luns"] == 0
    assert found['lunmapd_failing_reasons{reason="InUse"}'] == 1
    shared = [
        found[f'lunmapd_shared_{name}{{cluster="c",nodes="n1,n2"}}'] for name in ("luns", "bytes", "blocks")
    ]
    assert shared == [1, 1 << 20, 1 << 11]
    groups = [
        [found[f'lunmapd_floating_{name}{{group="{group}",target="t"}}'] for group in ("gold", "tin")]
        for name in ("owner", "fit")
    ]
    assert groups == [[1, 0], [0, 1]]
    leases, takes = (
        [found[f'lunmapd_floating_{name}{{group="{group}",target="t"}}'] for group in ("gold", "tin")]
        for name in ("lease_seconds", "takes_total")
    )
    assert 0 < leases[0] <= 3600
    assert (leases[1], takes) == (0, [2, 0])
    assert found['lunmapd_condition{type="Applied"}'] == 0
    assert found["lunmapd_turn_duration_seconds_sum"] == 0.5


def test_a_failed_turn_is_no_converged_one() -> None:
    """A cycle without an answer from ZooKeeper counts as failed, one with withheld steps as incomplete."""
    metrics = Metrics("n1", lambda: True)
    metrics.note(CycleResult(store_error=UnreachableError("h", 5.0)), STATUS, 0.1)
    metrics.note(CycleResult(result=replace(DONE, left=(STEP,))), STATUS, 0.1)
    found = scraped(metrics)
    assert [
        found[f'lunmapd_turns_total{{result="{name}"}}'] for name in ("converged", "incomplete", "failed")
    ] == [0, 1, 1]


def test_each_node_tells_its_cluster_and_when_a_turn_is_due() -> None:
    """Metrics name the cluster and the heartbeat; both change while the daemon runs."""
    metrics = full()
    found = scraped(metrics)
    assert (found['lunmapd_cluster_info{cluster="c"}'], found["lunmapd_beat_seconds"]) == (1, 90)
    metrics.note(CycleResult(), replace(STATUS, observed=HistoryPoint("d", 1, "d"), beat=600.0), 0.1)
    found = scraped(metrics)
    assert {name for name in found if name.startswith("lunmapd_cluster_info")} == {
        'lunmapd_cluster_info{cluster="d"}'
    }
    assert found["lunmapd_beat_seconds"] == 600


def test_a_first_turn_that_hangs_is_seen() -> None:
    """Before the first cycle has ended, time counts from the start, with the heartbeat of the settings."""
    before = time.time()
    found = scraped(Metrics("n1", lambda: True, beat=300.0))
    assert before <= found["lunmapd_last_turn_timestamp_seconds"] <= time.time()
    assert found["lunmapd_beat_seconds"] == 300


def test_without_a_map_in_force_nothing_is_desired() -> None:
    """The observed revision stays as it was."""
    metrics = full()
    metrics.note(CycleResult(store_error=UnreachableError("h", 5.0)), STATUS, 0.1)
    found = scraped(metrics)
    assert (found["lunmapd_desired_revision"], found["lunmapd_observed_revision"]) == (0, 7)


def test_the_connection_is_that_of_the_scrape() -> None:
    """It is current even before the first cycle has ended, which may take long."""
    up = [True]
    metrics = Metrics("n1", lambda: up[0])
    assert scraped(metrics)["lunmapd_zookeeper_connected"] == 1
    up[0] = False
    assert scraped(metrics)["lunmapd_zookeeper_connected"] == 0


def test_what_hands_did_is_counted_once() -> None:
    """A repaired object counts once by its class, however many steps it takes.

    A reported one when first seen.
    """
    metrics = Metrics("n1", lambda: True)
    acl = lio_objects.NodeAcl("t", 1, "h")
    steps = [Step(action, acl, "x", drift=True) for action in (Action.DELETE, Action.CREATE)]
    drifted: dict[lio_objects.Key, Failure] = {("portal", "t", 1, "a"): Failure(Reason.DRIFTED, "x")}
    repaired = replace(DONE, done=tuple(map(StepOutcome, steps)), failures=drifted)
    failed = replace(
        DONE, done=(StepOutcome(replace(STEP, drift=True), Failure(Reason.IN_USE, "busy")),), failures=drifted
    )
    for result in (repaired, failed, None, failed, replace(DONE, failures={}), failed):
        metrics.note(CycleResult(result=result), STATUS, 0.1)
    found = scraped(metrics)
    counted = {
        name: value for name, value in found.items() if name.startswith("lunmapd_drift_total") and value
    }
    assert counted == {
        'lunmapd_drift_total{answer="repaired",class="acl"}': 1,
        'lunmapd_drift_total{answer="reported",class="portal"}': 2,
    }


def test_the_lag_grows_until_the_newest_map_is_applied() -> None:
    """It counts from when the node first knew of a map that it has not applied, and ends with it."""
    clock = Clock(100.0)
    metrics = Metrics("n1", lambda: True, clock)
    assert "lunmapd_lag_seconds" not in scraped(metrics)
    metrics.note(CycleResult(), STATUS, 0.1)
    clock.now += 30
    metrics.note(CycleResult(), STATUS, 0.1)
    assert scraped(metrics)["lunmapd_lag_seconds"] == 30
    metrics.note(CycleResult(), replace(STATUS, applied=STATUS.observed), 0.1)
    assert scraped(metrics)["lunmapd_lag_seconds"] == 0


def named(text: str) -> set[str]:
    """Return the figures of ours that a text names."""
    return set(re.findall(r"\blunmapd_\w+", text))


def test_alerts_and_dashboard_ask_for_what_there_is() -> None:
    """Every figure that the alert rules or the dashboard name is in a scrape."""
    samples = {name.partition("{")[0] for name in scraped(full())}
    rules = Path("config/prometheus/lunmapd.rules.yml").read_text()
    panels = json.loads(Path("config/grafana/lunmapd.json").read_text())["panels"]
    asked = named(rules) | {
        name for panel in panels for target in panel["targets"] for name in named(target["expr"])
    }
    assert asked <= samples
    told = named(Path("docs/monitoring.md").read_text())
    parts = ("_bucket", "_sum", "_count", "_created")
    assert {name for name in samples if not name.endswith(parts)} <= told
