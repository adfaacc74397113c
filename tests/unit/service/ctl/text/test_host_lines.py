"""What hosts have to do before and after a commit."""

from collections.abc import Iterable

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
from lunmapd.core.edits.hosts import rename_host
from lunmapd.core.map.short_names import short_names
from lunmapd.service.ctl.text.hosts.host_lines import HostDuties, host_duties, resize_commands
from support.floating_map import FLOATING, PORTAL
from support.small_map import LUN, MAP, H, T, drained

G = "iqn.2026-01.org.example:g"
U = "iqn.2026-01.org.example:u"
MAPS = (Map(T, 3, H), Map(U, 3, H))
WWID, OTHER_WWID = "36001405" + "1" * 25, "36001405" + "2" * 25
TWO = replace(
    MAP,
    luns={"a": LUN, "b": replace(LUN, serial="2" * 32, maps=())},
    initiators={H: Initiator(), G: Initiator()},
)
LOGOUT = (
    "then on h, without another LUN at t:",
    f"  iscsiadm -m node -T {T} --logout",
    f"  iscsiadm -m node -T {T} -o delete",
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
    """Hosts that lose the same Luns share the commands; a host without LUNs logs out, too."""
    mapped = with_maps(with_maps(TWO, "a", Map(T, 3, H), Map(T, 3, G)), "b", Map(T, 4, G))
    duties = host_duties(mapped, with_maps(with_maps(mapped, "a", Map(T, 3, G)), "b"))
    assert [paragraph[:2] for paragraph in duties.before[:2]] == [
        ("first, on h: end all use of a (unmount, vgchange -an), then", f"  for wwid in {WWID}; do"),
        ("first, on g: end all use of b (unmount, vgchange -an), then", f"  for wwid in {OTHER_WWID}; do"),
    ]
    assert duties.before[2:] == (LOGOUT,)
    assert duties.after == ()
    both = host_duties(with_maps(mapped, "b"), with_maps(TWO, "a"))
    assert [paragraph[0] for paragraph in both.before] == [
        "first, on g, h: end all use of a (unmount, vgchange -an), then",
        "then on g, h, without another LUN at t:",
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
    assert host_duties(alone, MAP).after == (
        (
            "on h:",
            "  iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260",
            f"  iscsiadm -m node -T {T} -o update -n node.startup -v automatic",
            f"  iscsiadm -m node -T {T} -p 10.0.0.2:3260 --login",
        ),
    )
    leave = f"  iscsiadm -m node -T {T} -p 10.0.0.2:3260"
    assert host_duties(MAP, alone) == HostDuties(
        (("first, on h:", f"{leave} --logout", f"{leave} -o delete"),)
    )
    hidden = replace(MAP, nodes={"n1": Node(1), "n2": Node(2)})
    assert host_duties(with_maps(hidden, "a"), hidden).after == ((f"h sees a as LUN 3 at t (WWID {WWID})",),)


def test_a_drained_node_is_asked_for_nothing() -> None:
    """Its portals refuse the discovery; hosts come back by themselves when it serves again."""
    unmapped = drained(replace(MAP, luns={"a": replace(LUN, maps=())}), "n1")
    assert "10.0.0.2:3260" in host_duties(unmapped, drained(MAP, "n1")).after[1][1]
    everywhere = drained(unmapped, "n2")
    assert "10.0.0.1:3260" in host_duties(everywhere, drained(MAP, "n1", "n2")).after[1][1]
    assert host_duties(drained(MAP, "n1"), MAP) == HostDuties()


def test_a_path_that_goes_leaves_the_device() -> None:
    """Where the host keeps the Lun at another target, only the paths of the one that goes are removed."""
    both = with_maps(replace(TWO, targets={T: MAP.targets[T], U: MAP.targets[T]}), "a", *MAPS)
    assert host_duties(both, with_maps(both, "a", Map(U, 3, H))).before == (LOGOUT,)
    more = with_maps(both, "b", Map(T, 4, H))
    assert host_duties(more, with_maps(more, "a", Map(U, 3, H))).before == (
        (
            "first, on h, which keeps other paths to a:",
            f"  for link in /dev/disk/by-path/*-iscsi-{T}-lun-3; do",
            "    echo 1 >/sys/block/$(basename $(readlink $link))/device/delete",
            "  done",
        ),
    )


def test_a_renamed_host_takes_its_name() -> None:
    """After it has left under the old one, before it logs in under the new one."""
    duties = host_duties(MAP, rename_host(MAP, H, G))
    assert duties.before[1] == LOGOUT
    assert duties.after[1:3] == (
        (
            "on g, until now h:",
            f"  sed -i 's/^InitiatorName=.*/InitiatorName={G}/' /etc/iscsi/initiatorname.iscsi",
            "  systemctl restart iscsid",
        ),
        (
            "on g:",
            "  iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260",
            f"  iscsiadm -m node -T {T} -o update -n node.startup -v automatic",
            f"  iscsiadm -m node -T {T} --login",
        ),
    )
    other = rename_host(MAP, H, G)
    for before, after in (
        (TWO, with_maps(TWO, "a", Map(T, 3, G))),
        (MAP, with_maps(other, "a", Map(T, 5, G))),
    ):
        assert [each[0][:6] for each in host_duties(before, after).after] == ["g sees", "on g:"]


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
    removal, logout = host_duties(many, replace(MAP, luns={})).before
    assert logout == LOGOUT
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
    script, logout = host_duties(lunmap, replace(lunmap, luns={})).before
    assert logout[0] == "then on h0, h1, h2, h3, h4 and 5 more, without another LUN at t:"
    assert script[0].startswith("first, on h0, h1, h2, h3, h4 and 5 more: end all use of 10 Luns")
    one, _ = host_duties(
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
    assert (
        host_duties(served, none).before[-1][0].startswith("3 more targets to log out from in the same way")
    )
    wide = {target: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)}) for target in targets}
    assert host_duties(replace(served, targets=wide), served).before[-1] == (
        "3 more targets lose portals: log out from these in the same way",
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


def settings(lines: Iterable[str]) -> list[str]:
    """Return the settings of a host's record that some commands make."""
    return [found for line in lines if (found := line.partition(" -n node.session.auth.")[2])]


def with_chap(lunmap: Lunmap, kind: Authentication, chap: Chap, mutual_chap: Chap | None = None) -> Lunmap:
    """Return a map whose target asks for CHAP, and whose initiator has these secrets."""
    target = replace(lunmap.targets[T], authentication=kind)
    return replace(lunmap, targets={T: target}, initiators={H: Initiator("", chap, mutual_chap)})


NONE, CHAP, MUTUAL = Authentication
BOB, EVE = Chap("bob", "sealed"), Chap("eve", "sealed")
RENEWAL = (
    "  # a session keeps its credentials: renew each, once 'multipath -ll' shows all paths",
    *(
        f"  $node -p {portal} --logout && $node -p {portal} --login"
        for portal in ("10.0.0.1:3260", "10.0.0.2:3260")
    ),
)


def test_hosts_offer_a_password_before_it_is_asked_for() -> None:
    """They would be refused at their next login; their sessions get it one by one."""
    mutual = (BOB, EVE)
    known = with_chap(MAP, NONE, *mutual)
    (lines,) = host_duties(known, with_chap(MAP, CHAP, *mutual)).before
    assert lines[0] == "first, on h: later logins to t need a password"
    assert settings(lines) == ["authmethod -v CHAP", "username -v bob", "password -v PASSWORD"]
    assert lines[1] == f'  node="iscsiadm -m node -T {T}"'
    assert lines[5:] == RENEWAL
    (lines,) = host_duties(known, with_chap(MAP, MUTUAL, *mutual)).before
    assert settings(lines)[3:] == ["username_in -v eve", "password_in -v PASSWORD_OF_THE_TARGET"]
    assert host_duties(with_chap(MAP, CHAP, *mutual), known) == HostDuties()
    assert host_duties(MAP, with_chap(MAP, NONE, *mutual)) == HostDuties()


def test_hosts_offer_no_password_that_is_removed() -> None:
    """LIO refuses CHAP of an initiator without credentials, and open-iscsi offers it if it has a user."""
    (lines,) = host_duties(with_chap(MAP, NONE, BOB), MAP).before
    assert lines[0] == "first, on h: later logins to t fail with a password"
    assert settings(lines) == ["username -v ''", "password -v ''"]
    assert lines[4:] == RENEWAL


def test_hosts_get_a_changed_password_afterwards() -> None:
    """A node knows one password; another alias is none."""
    before = with_chap(MAP, CHAP, BOB)
    duties = host_duties(before, with_chap(MAP, CHAP, EVE))
    assert (duties.before, duties.after[0][0]) == ((), "on h: later logins to t need the new password")
    assert settings(duties.after[0]) == ["authmethod -v CHAP", "username -v eve", "password -v PASSWORD"]
    named = replace(before, initiators={H: Initiator("an alias", BOB)})
    assert host_duties(before, named) == HostDuties()
    assert host_duties(before, with_chap(MAP, CHAP, BOB, EVE)) == HostDuties()
    mutual = [with_chap(MAP, MUTUAL, BOB, each) for each in (EVE, BOB)]
    assert len(host_duties(*mutual).after) == 1
    nowhere = drained(before, "n1", "n2")
    assert len(host_duties(nowhere, drained(with_chap(MAP, CHAP, EVE), "n1", "n2")).after[0]) == 5
