"""The list of hosts."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Initiator
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.map.short_names import short_names
from lunmapd.service.ctl.text.host_table import hosts_table
from support.small_map import MAP, H, T


def test_each_host_has_its_luns_and_logins() -> None:
    """A host that is logged in nowhere may be switched off, so it is missed nowhere."""
    lunmap = replace(MAP, initiators={H: Initiator("db"), f"{H}:off": Initiator(), f"{H}:new": Initiator()})
    luns = (
        LunPaths("a", 2, 2, (), (Host(H, T, ("n1",), ("n2",)), Host(f"{H}:off", T, (), ("n1",)))),
        LunPaths("b", 2, 2, (), (Host(H, T, ("n1", "n3")),)),
    )
    assert hosts_table(lunmap, luns, short_names(lunmap)).lines() == [
        "HOST  ALIAS  LUNS  LOGGED IN AT  NOT AT",
        "h     db     2     n1,n3         n2",
        "new   -      0     -             -",
        "off   -      1     -             -",
    ]
