"""Metrics of a node that has an example of everything."""

from msgspec.structs import replace

from lunmapd.agent.floating.view import GroupView
from lunmapd.agent.loop.report import CycleResult, first_status
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.clock import boot_time
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    APPLIED,
    Failing,
    GroupPhase,
    GroupStatus,
    HistoryPoint,
    false_condition,
    update_condition,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Action, Step
from lunmapd.service.daemon.metrics.collector import Metrics
from support.small_map import MAP

STEP = Step(Action.CREATE, lio_objects.Target("iqn.2026-01.org.example:t"), "in the map")
OBSERVED = Observed(project_map(MAP, "n1"), backings={"a": BackingFacts(size=1 << 20)})
DONE = PassResult(OBSERVED, {}, (), (StepOutcome(STEP), StepOutcome(STEP, Failure(Reason.IN_USE, "busy"))))
STATUS = replace(
    first_status("boot", "2026-01-01T00:00:00Z"),
    observed=HistoryPoint("c", 7, "d"),
    applied=HistoryPoint("c", 6, "d"),
    sessions=3,
    beat=90.0,
    failing=(Failing("target t", "InUse", "busy"),),
    failing_count=1,
    floating=(
        GroupStatus("t", "gold", GroupPhase.OWNER),
        GroupStatus("t", "tin", GroupPhase.STANDBY, fit=True),
    ),
    conditions=update_condition((), false_condition(APPLIED, Reason.FAILING, "x"), "2026-01-01T00:00:00Z"),
)


GROUPS = (
    GroupView(GroupId("t", "gold"), GroupPhase.OWNER, "n1", lease_end=boot_time() + 3600.0, takes=2),
    GroupView(GroupId("t", "tin")),
)


def full() -> Metrics:
    """Return figures of a node that has a bit of everything."""
    metrics = Metrics("n1", lambda: True, groups=lambda: GROUPS)
    metrics.note(CycleResult(HistoryPoint("c", 7, "d"), DONE, lunmap=MAP), STATUS, 0.5)
    return metrics
