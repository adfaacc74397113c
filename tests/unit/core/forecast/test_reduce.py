"""The part of two maps on which the steps of nodes depend."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Initiator, Lunmap, Map
from lunmapd.core.forecast.reduce import reduce_maps
from support.small_map import LUN, MAP, H, T

HOSTS = [f"{H}{number}" for number in range(9)]
BEFORE = replace(
    MAP,
    luns={
        name: replace(LUN, serial=name, maps=(Map(T, number, initiator=host),))
        for number, host in enumerate(HOSTS)
        for name in (f"{number}a", f"{number}b")
    },
    initiators={host: Initiator() for host in HOSTS},
)


def kept(before: Lunmap, after: Lunmap) -> list[str]:
    """Return the names of the Luns that remain of a map."""
    return list(reduce_maps(before, after)[1].luns)


def test_of_the_hosts_that_no_change_concerns_one_lun_is_kept() -> None:
    """It keeps the TPG; a host that sees the changed Lun keeps its ACL by another one."""
    after = replace(BEFORE, luns={**BEFORE.luns, "3a": replace(BEFORE.luns["3a"], size=1 << 30)})
    assert kept(BEFORE, after) == ["0a", "3a", "3b"]


def test_a_host_that_changes_keeps_its_lun() -> None:
    """Its ACL may change, and so may those of its group."""
    changed = {**BEFORE.initiators, HOSTS[2]: Initiator("db2")}
    assert kept(BEFORE, replace(BEFORE, initiators=changed)) == ["0a", "2a"]
    group = {"g": Group((HOSTS[2], HOSTS[3]))}
    shared = {"8b": replace(BEFORE.luns["8b"], maps=(Map(T, 9, group="g"),))}
    before = replace(BEFORE, groups=group, luns={**BEFORE.luns, **shared})
    assert kept(before, replace(before, initiators=changed)) == ["0a", "2a", "8b"]
    larger = {"g": Group((HOSTS[2], HOSTS[3], HOSTS[4]))}
    assert kept(before, replace(before, groups=larger)) == ["0a", "2a", "3a", "4a", "8b"]
