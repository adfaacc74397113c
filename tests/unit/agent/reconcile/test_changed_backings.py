"""How a partial pass shows that backings are to be read and reported again: by a new mapping."""

from pathlib import Path

from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import PassPorts, reconcile
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.backings import FileIO
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.secrets.sealing import Vault

T, H, OTHER = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:other"
LUN = Lun(FileIO("/srv/1"), "1" * 32, 1 << 20, maps=(Map(T, 1, H),))


def lunmap(lun: Lun) -> Lunmap:
    """Return a map of one Lun."""
    nodes = {"n1": Node(1, ("10.0.0.1:3260",))}
    hosts = {H: Initiator(), OTHER: Initiator()}
    return Lunmap({"l1": lun}, {T: Target({"n1": PortalGroup(1)})}, hosts, nodes=nodes)


def test_backings_are_new_only_if_a_storage_object_or_its_backing_changed(tmp_path: Path) -> None:
    """A further map leaves the mapping as it is; a file that grows, with the same facts, makes a new one."""
    ports, state = PassPorts(FakeLio(), Claims(tmp_path)), PassState(audit=60.0)
    mapped = replace(LUN, maps=(*LUN.maps, Map(T, 1, OTHER)))
    backings = []
    for lun in (LUN, mapped, replace(mapped, size=1 << 21)):
        result = reconcile(ports, PassInput("n1", 1, lunmap(lun), {}, Vault("c")), state)
        assert result.converged
        backings.append(result.observed.backings)
    assert backings[1] is backings[0]
    assert backings[2] is not backings[1]
    assert dict(backings[2]) == dict(backings[1])
