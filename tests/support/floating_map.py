"""A map of one Lun behind a floating portal group of two nodes, and their reports of it."""

from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import (
    FloatingGroup,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
    TpgId,
)
from lunmapd.core.fleet.status import GroupPhase, GroupStatus

T = "iqn.2026-01.org.example:pool"
H = "iqn.2026-01.org.example:h"
PORTAL = "10.0.0.50:3260"
GOLD = FloatingGroup(1001, (PORTAL,), ("n1", "n2"), 77)
TPG = TpgId(T, 1001)
LUN = Lun(FileIO("/srv/a"), "1" * 32, 1 << 20, maps=(Map(T, 3, H),))
NODES = {name: Node(tag, (f"10.0.0.{tag}:3260",)) for name, tag in (("n1", 1), ("n2", 2), ("n3", 3))}
FLOATING = Lunmap({"a": LUN}, {T: Target({}, floating={"gold": GOLD})}, {H: Initiator()}, nodes=NODES)
"""The target has the group alone: n1 and n2 may own it, n3 serves nothing."""
MIXED = Lunmap(
    {"a": LUN},
    {T: Target({"n1": PortalGroup(1), "n3": PortalGroup(3)}, floating={"gold": GOLD})},
    {H: Initiator()},
    nodes=NODES,
)
"""The target has TPGs of n1 and n3, too."""
OWNER = GroupStatus(T, "gold", GroupPhase.OWNER, "n1", "10:00", fit=True)
STANDBY = replace(OWNER, phase=GroupPhase.STANDBY)
UNFIT = replace(STANDBY, fit=False, reason="luns/a: DeviceMissing")
