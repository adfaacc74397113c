"""A map of one Lun that two nodes have."""

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target

T = "iqn.2026-01.org.example:t"
H = "iqn.2026-01.org.example:h"
LUN = Lun(FileIO("/srv/a"), "1" * 32, 1 << 20, maps=(Map(T, 3, H),))
MAP = Lunmap(
    {"a": LUN},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(7)})},
    {H: Initiator()},
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)
