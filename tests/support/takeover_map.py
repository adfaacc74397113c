"""A map of one Lun that two nodes take over from one another."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState, GroupId, Lunmap, PortalGroup, Target
from lunmapd.core.fleet.status import GroupPhase, GroupStatus
from support.small_map import LUN, MAP, H, T

TAKEN = replace(LUN, preferred=("n1", "n2"), others=AluaState.STANDBY)
TAKEOVER: Lunmap = replace(MAP, luns={"a": TAKEN})
GROUP = GroupId(T, "n1,n2")
OWNER = GroupStatus(T, "n1,n2", GroupPhase.OWNER, "n1", "10:00", fit=True)
STANDBY = replace(OWNER, phase=GroupPhase.STANDBY)
UNFIT = replace(STANDBY, fit=False, reason="luns/a: DeviceMissing")
THREE: Lunmap = replace(
    TAKEOVER,
    targets={T: Target({**MAP.targets[T].nodes, "n3": PortalGroup(9)})},
    nodes={**MAP.nodes, "n3": replace(MAP.nodes["n1"], tpg_tag=3, portals=("10.0.0.3:3260",))},
)
"""The third node reports the Lun, and is not in the list."""
__all__ = ["GROUP", "OWNER", "STANDBY", "TAKEN", "TAKEOVER", "THREE", "UNFIT", "H", "T"]
