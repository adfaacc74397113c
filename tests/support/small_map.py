"""A map of one Lun that two nodes have."""

from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, NodeState, PortalGroup, Target

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
LUN = Lun(FileIO("/srv/a"), "1" * 32, 1 << 20, maps=(Map(T, 3, H),))
MAP = Lunmap(
    {"a": LUN},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(7)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)


def drained(lunmap: Lunmap, *nodes: str) -> Lunmap:
    """Return the map with these nodes drained."""
    changed = {name: replace(lunmap.nodes[name], state=NodeState.DRAINED) for name in nodes}
    return replace(lunmap, nodes={**lunmap.nodes, **changed})
