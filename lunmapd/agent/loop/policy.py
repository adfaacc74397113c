"""What the settings say of following the map; times in seconds."""

from msgspec import Struct

from lunmapd.core.planning.guard import Limits
from lunmapd.core.planning.plan import Disruption

DAY = 86400
BEAT = 60.0


class Policy(Struct, frozen=True):
    """How a node follows the map.

    `limits`: how much a pass may take away unasked. `isolate_after`: so long without contact to ZooKeeper, and the node
    stops offering its paths; None: never. `snapshot_max_age`: up to which age the local snapshot stands in for the
    map; 0: never. `full_read`: how often everything is read again and compared. `audit`: so long a pass goes by the change
    of the map alone, before the kernel is looked at as a whole again. `retry`: what fails is tried again after that, then ever
    more seldom, up to `audit`. `beat`: how often the node says at least that it is well. `allow`: steps that disrupt initiators
    more than that are held. `report`: the classes of objects (drift.CLASSES) where drift is left as it is.
    """

    limits: Limits = Limits()
    isolate_after: float | None = None
    snapshot_max_age: float = 7 * DAY
    full_read: float = 3600
    audit: float = 0.0
    beat: float = BEAT
    allow: Disruption = Disruption.DATA_UNREACHABLE
    resync: float = 60.0
    retry: float = 5.0
    report: frozenset[str] = frozenset()
