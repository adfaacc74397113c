"""The settings of a node for following the map. Times are in seconds."""

from msgspec import Struct

from lunmapd.core.base.disruption import Disruption
from lunmapd.core.fleet.status import DecisionLimits
from lunmapd.core.planning.guard import RemovalLimits

DAY = 86400
BEAT = 60.0


class Policy(Struct, frozen=True):
    """How a node follows the map.

    `limits`: what counts as a mass removal. `isolate_after`: time without contact to ZooKeeper after which
    the node is isolated, None for never. `snapshot_max_age`: age up to which the local snapshot may replace
    the map, 0 for never. `full_read`: interval of full reads. `audit`: interval of audits, 0 if every pass is
    a full one. `resync`: longest wait between two cycles. `retry`: wait after a read or a step that failed;
    further failures of a step double it, up to `audit`. `beat`: longest time between two writes of the
    status. `allow`: class of disruption above which steps are held. `report`: the classes of objects
    (drift.CLASSES) whose drift is reported and not repaired.
    """

    limits: RemovalLimits = RemovalLimits()
    isolate_after: float | None = None
    snapshot_max_age: float = 7 * DAY
    full_read: float = 3600
    audit: float = 0.0
    beat: float = BEAT
    allow: Disruption = Disruption.DATA_UNREACHABLE
    resync: float = 60.0
    retry: float = 5.0
    report: frozenset[str] = frozenset()


def limits_of(policy: Policy) -> DecisionLimits:
    """Return what the status of a node reports of its policy."""
    return DecisionLimits(policy.allow.word, policy.limits.share, policy.limits.minimum)
