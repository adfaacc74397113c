"""What hosts have to do before and after a commit."""

from msgspec.structs import replace

from lunmapd.core.base.lunmap import (
    Access,
    Authentication,
    Chap,
    Group,
    Initiator,
    Lunmap,
    Map,
    Node,
    PortalGroup,
    Target,
)
from lunmapd.core.map.short_names import short_names
from lunmapd.service.ctl.text.host_lines import HostDuties, host_duties, resize_commands
from support.floating_map import FLOATING, PORTAL
from support.small_map import LUN, MAP, H, T

G = "iqn.2026-01.org.example:g"
WWID, OTHER_WWID = "36001405" + "1" * 25, "36001405" + "2" * 25
TWO = replace(
    MAP,
    luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=())},
    initiators={H: Initiator(), G: Initiator()},
)
RESCAN = "  iscsiadm -m session --rescan"


def with_maps(lunmap: Lunmap, name: str, *maps: Map) -> Lunmap:
    """Return a map in which a Lun has these maps."""
    return replace(lunmap, luns={**lunmap.luns, name: replace(lunmap.luns[name], maps=maps)})


def test_a_change_that_hosts_do_not_see_needs_nothing() -> None:
    """Neither before nor after the commit."""
    assert host_duties(TWO, replace(TWO, luns={"a": LUN})) == HostDuties()


def test_a_host_with_a_login_rescans_and_any_other_logs_in() -> None:
    """Each new LUN is shown with its WWID; the commands name one portal for the discovery."""
    duties = host_duties(TWO, with_maps(TWO, "b", Map(T, 4, H), Map(T, 4, G)))
    assert duties.before == ()
    assert duties.after == (
        (f"g, h see b as LUN 4 at t (WWID {OTHER_WWID})",),
        (
            "on g:",
            "  iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260",
            f"  iscsiadm -m node -T {T} -o update -n node.startup -v automatic",
            f"  iscsiadm -m node -T {T} --login",
        ),
        ("on h:", RESCAN),
    )


def test_devices_are_removed_before_their_luns() -> None:
    """Hosts that lose the same Luns share the commands; a host without LUNs logs out afterwards."""
    mapped = with_maps(with_maps(TWO, "a", Map(T, 3, H), Map(T, 3, G)), "b", Map(T, 4, G))
    duties = host_duties(mapped, with_maps(with_maps(mapped, "a", Map(T, 3, G)), "b"))
    assert [paragraph[:2] for paragraph in duties.before] == [
        ("first, on h: end all use of a (unmount, vgchange -an), then", f"  for wwid in {WWID}; do"),
        ("first, on g: end all use of b (unmount, vgchange -an), then", f"  for wwid in {OTHER_WWID}; do"),
    ]
    assert duties.after == (
        (
            "on h, without a LUN at t now:",
            f"  iscsiadm -m node -T {T} --logout",
            f"  iscsiadm -m node -T {T} -o delete",
        ),
    )
    both = host_duties(with_maps(mapped, "b"), with_maps(TWO, "a"))
    assert [paragraph[0] for paragraph in both.before] == [
        "first, on g, h: end all use of a (unmount, vgchange -an), then"
    ]


def test_another_number_is_a_removal_and_a_rescan() -> None:
    """The device under the old number goes first."""
    duties = host_duties(MAP, with_maps(MAP, "a", Map(T, 5, H)))
    assert len(duties.before) == 1
    assert duties.after == ((f"h sees a as LUN 5 at t (WWID {WWID})",), ("on h:", RESCAN))


def test_another_access_or_size_needs_a_rescan() -> None:
    """A map of multipath is resized by its WWID, once all nodes have the size."""
    read_only = with_maps(MAP, "a", replace(LUN.maps[0], access=Access.READ_ONLY))
    assert host_duties(MAP, read_only).after == (("on h:", RESCAN),)
    larger = replace(TWO, luns={**TWO.luns, "a": replace(LUN, size=2 << 20)})
    assert host_duties(TWO, larger).after == (
        ("on h, once every node has the new size:", RESCAN, f"  multipathd resize map {WWID}"),
    )
    assert list(resize_commands(TWO, "b", short_names(TWO))) == []


def test_hosts_find_new_portals_and_leave_old_ones() -> None:
    """A node that comes is found by discovery, one that goes is logged out from."""
    alone = replace(MAP, targets={T: Target({"n1": PortalGroup(1)})})
    assert host_duties(alone, MAP).after[0][:2] == (
        "on h:",
        "  iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260",
    )
    assert host_duties(MAP, alone).after == (
        ("on h:", f"  iscsiadm -m node -T {T} -p 10.0.0.2:3260 --logout"),
    )
    hidden = replace(MAP, nodes={"n1": Node(1), "n2": Node(2)})
    assert host_duties(with_maps(hidden, "a"), hidden).after == ((f"h sees a as LUN 3 at t (WWID {WWID})",),)


def test_a_large_group_is_a_line() -> None:
    """With five names."""
    hosts = {f"iqn.2026-01.org.example:h{number:02}": Initiator() for number in range(30)}
    lunmap = replace(
        MAP, luns={"a": replace(LUN, maps=())}, initiators=hosts, groups={"all": Group(tuple(hosts))}
    )
    duties = host_duties(lunmap, with_maps(lunmap, "a", Map(T, 1, group="all")))
    assert duties.after[0] == (f"h00, h01, h02, h03, h04 and 25 more see a as LUN 1 at t (WWID {WWID})",)
    assert duties.after[1][0] == "on h00, h01, h02, h03, h04 and 25 more:"


def test_many_luns_are_a_sum() -> None:
    """Of more than 20 there is one sentence, which points to the list, before and after the commit."""
    luns = {
        f"l{number}": replace(LUN, serial=f"{number:032}", maps=(Map(T, number, H),)) for number in range(30)
    }
    many = replace(MAP, luns=luns)
    pointer = "LUNs for h: 30; 'lunmapctl explain HOST' lists those of a host"
    assert host_duties(replace(MAP, luns={}), many).after[0] == (pointer,)
    (removal,) = host_duties(many, replace(MAP, luns={})).before
    assert removal[:3] == (
        "first, on h: end all use of 30 Luns (unmount, vgchange -an), then, with the",
        "WWIDs that 'lunmapctl explain HOST' shows:",
        "  for wwid in WWID...; do",
    )
    assert host_duties(
        many, replace(many, luns={name: replace(lun, size=2 << 20) for name, lun in luns.items()})
    ).after == (
        (
            "on h, once every node has the new sizes of 30 Luns, with the WWIDs that",
            "'lunmapctl explain HOST' shows:",
            RESCAN,
            "  for wwid in WWID...; do multipathd resize map $wwid; done",
        ),
    )


def test_many_kinds_of_hosts_are_a_sum() -> None:
    """Ten hosts that lose a Lun each have one script, whose end is that of the script for one Lun."""
    hosts = {f"iqn.2026-01.org.example:h{number}": Initiator() for number in range(10)}
    luns = {
        f"l{number}": replace(LUN, serial=f"{number:032}", maps=(Map(T, 1, host),))
        for number, host in enumerate(hosts)
    }
    lunmap = replace(MAP, initiators=hosts, luns=luns)
    (script,) = host_duties(lunmap, replace(lunmap, luns={})).before
    assert script[0].startswith("first, on h0, h1, h2, h3, h4 and 5 more: end all use of 10 Luns")
    (one,) = host_duties(
        lunmap, replace(lunmap, luns={"l0": luns["l0"]} | dict(list(luns.items())[2:]))
    ).before
    assert script[-7:] == one[-7:]


def test_many_targets_are_shortened() -> None:
    """Five are shown, of those to log in to, to log out from, and that lose portals; others are counted."""
    targets = {f"iqn.2026-01.org.example:t{number}": Target({"n1": PortalGroup(1)}) for number in range(8)}
    luns = {"a": replace(LUN, maps=tuple(Map(target, 1, H) for target in targets))}
    served, none = replace(MAP, targets=targets, luns=luns), replace(MAP, targets=targets, luns={})
    assert len(host_duties(none, served).after) == 1 + 5 + 1
    assert host_duties(none, served).after[-1] == (
        "3 more targets to log in to in the same way: 'lunmapctl explain HOST' lists",
        "those of a host",
    )
    assert host_duties(served, none).after[-1][0].startswith("3 more targets to log out from in the same way")
    wide = {target: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)}) for target in targets}
    assert host_duties(replace(served, targets=wide), served).after[-1] == (
        "3 more targets lost portals: log out from these in the same way",
    )


def test_a_target_that_asks_for_a_password_is_set_up_with_it() -> None:
    """With the user of the host; several hosts have different ones."""
    target = replace(MAP.targets[T], authentication=Authentication.CHAP)
    hosts = {H: Initiator(chap=Chap("bob", "sealed")), G: Initiator(chap=Chap("eve", "sealed"))}
    chap = replace(TWO, targets={T: target}, initiators=hosts, luns={"a": replace(LUN, maps=())})
    for maps, user in (((Map(T, 3, H),), "bob"), ((Map(T, 3, H), Map(T, 3, G)), "USER")):
        lines = host_duties(chap, with_maps(chap, "a", *maps)).after[1]
        assert [line.partition(" -n node.session.auth.")[2] for line in lines[3:-1]] == [
            "authmethod -v CHAP",
            f"username -v {user}",
            "password -v PASSWORD",
        ]


def test_a_host_discovers_a_target_by_the_address_of_its_floating_group() -> None:
    """No node of such a target has a portal of its own."""
    before = replace(FLOATING, luns={"a": replace(FLOATING.luns["a"], maps=())})
    commands = [line for lines in host_duties(before, FLOATING).after for line in lines]
    assert f"  iscsiadm -m discovery -t sendtargets -p {PORTAL}" in commands
