"""What a host, a Lun and a node have to do with each other, and what is wrong there."""

import shlex
from typing import Any

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import (
    Access,
    AluaState,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Map,
    Node,
    NodeState,
    PortalGroup,
    Target,
)
from lunmapd.core.explain.checks import Check, Topic, Verdict
from lunmapd.core.explain.host import SeenPath, explain_host, explain_pair
from lunmapd.core.explain.lun import explain_lun
from lunmapd.core.explain.node import Loss, explain_node
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import Condition, Failing, HistoryPoint
from lunmapd.core.node.observed import Login
from lunmapd.core.node.refused_logins import RefusedLogins
from support.explaining import GIB, world
from support.forecasts import HERE, NOW, REVISION, view
from support.small_map import LUN, MAP, H, T

G = "iqn.2026-01.org.example:g"
OTHER = "iqn.2026-01.org.example:other"
WRONG = RefusedLogins(T, "authentication", 2, NOW, NOW, H, "100.64.0.5")
STRANGER = RefusedLogins(T, "authorization", 1, NOW, NOW, "", "100.64.0.6")
PORTAL_FAILS = "PortalAddressMissing: no interface has it"


def failing(item: str, lun: str = "", *, kept: bool = False, reason: str = "Stuck") -> dict[str, Any]:
    """Return the fields of a status with one failing object, and the newest revision not applied."""
    entry = Failing(item, reason, "it hangs", lun, kept)
    return {"failing": (entry,), "failing_count": 1, "applied": HistoryPoint("c", REVISION - 1, "d")}


def checks(lunmap: Lunmap = MAP, **views: NodeView) -> dict[tuple[str, Topic], Check]:
    """Return the checks on the way from the host to the Lun, by node and topic."""
    found = explain_pair(world(views, lunmap), H, "a").checks
    return {(check.node, check.topic): check for check in found}


def test_a_host_that_sees_everything_has_no_problem() -> None:
    """Its Luns are listed with size, WWID and a word for each path, and its logins by target."""
    found = explain_host(world({"n1": view(HERE), "n2": view(HERE)}), H)
    (seen,) = found.luns
    assert found.is_well
    assert found.logins == {T: ("n1", "n2")}
    assert seen.paths == (SeenPath("n1", Verdict.OK, "ok"), SeenPath("n2", Verdict.OK, "ok"))
    assert (seen.number, seen.access, seen.size, seen.usable) == (3, "rw", GIB, 2)
    assert seen.wwid == "36001405" + "1" * 25


def test_a_host_is_shown_with_its_groups_and_the_luns_of_these() -> None:
    """A map by a group counts like its own; another host's does not."""
    luns = {
        "a": replace(LUN, maps=(Map(T, 3, group="web", access=Access.READ_ONLY),)),
        "b": Lun(Block("/dev/b"), "2" * 32, 5, maps=(Map(T, 1, G),)),
    }
    groups = {"web": Group((H,)), "others": Group()}
    lunmap = replace(MAP, luns=luns, groups=groups, initiators={H: Initiator("web 1"), G: Initiator()})
    found = explain_host(world({"n1": view(HERE), "n2": view(HERE)}, lunmap), H)
    assert (found.alias, found.groups) == ("web 1", ("web",))
    assert [(seen.lun, seen.group, seen.access) for seen in found.luns] == [("a", "web", "ro")]
    (mapped, *_) = explain_pair(world({"n1": view(HERE)}, lunmap), H, "a").checks
    assert mapped.text == f"LUN 3 at {T}, ro, by group web"
    other = explain_host(world({"n1": view(HERE), "n2": view(silent=True)}, lunmap), G)
    assert (other.luns[0].size, other.logins) == (5, {})


def test_every_check_of_a_good_path_is_ok() -> None:
    """They are listed in the order of the way, for each node."""
    found = explain_pair(world({"n1": view(HERE), "n2": view(HERE)}), H, "a")
    assert (found.usable, found.paths, found.is_well) == (2, 2, True)
    assert [(check.node, check.topic.value, check.text) for check in found.checks[:6]] == [
        ("", "mapped", f"LUN 3 at {T}, rw"),
        ("n1", "node", "alive, converged"),
        ("n1", "device", "exported: /srv/a, 1 GiB"),
        ("n1", "portal", "10.0.0.1:3260"),
        ("n1", "alua", "optimized"),
        ("n1", "login", "logged in"),
    ]
    assert {check.verdict for check in found.checks} == {Verdict.OK}
    assert checks(n1=view(HERE), n2=view(HERE))["n2", Topic.DEVICE].text == "exported"


def test_a_lun_that_is_not_mapped_is_offered() -> None:
    """The remedy is the command that would let the host see it, and refused logins follow."""
    bare = replace(MAP, luns={"a": replace(LUN, maps=())})
    there = world({"n1": view(refused=(WRONG, STRANGER)), "n2": NodeView()}, bare)
    found = explain_pair(there, H, "a")
    assert found.checks[0].remedy == "lunmapctl map a h"
    assert found.checks[1].text.endswith("are wrong or missing, 2 times, last at 2026-01-01T00:00:00Z")
    assert (found.usable, found.is_well) == (0, False)
    both = replace(MAP, initiators={**MAP.initiators, G: Initiator()})
    assert explain_pair(world({}, both), G, "a").checks[0].remedy == "lunmapctl map a g --target t"


def test_a_node_that_can_not_serve_is_the_only_check() -> None:
    """Of a dead, silent or drained node nothing else is known; the remedy names where to look."""
    found = checks(n1=view(HERE, live=False), n2=view(HERE, silent=True))
    assert (found["n1", Topic.NODE].verdict, found["n2", Topic.NODE].verdict) == (Verdict.NO, Verdict.UNKNOWN)
    assert found["n1", Topic.NODE].remedy == "on n1: systemctl status lunmapd"
    assert found["n2", Topic.NODE].remedy == "on n2: journalctl -u lunmapd -e"
    assert len(found) == 3
    drained = replace(MAP, nodes={**MAP.nodes, "n1": replace(MAP.nodes["n1"], state=NodeState.DRAINED)})
    there = checks(drained, n1=view(), n2=view(HERE))
    assert there["n1", Topic.NODE].text == "drained: it takes no logins"
    paths = explain_host(world({"n1": view(live=False), "n2": view(HERE)}), H).luns[0].paths
    assert [path.word for path in paths] == ["dead", "ok"]


def test_a_drained_node_is_no_problem_as_long_as_there_is_another_way() -> None:
    """It is shown with the command that ends the drain; without another way the host is not well."""
    away = {name: replace(node, state=NodeState.DRAINED) for name, node in MAP.nodes.items()}
    there = world({"n1": view(), "n2": view(HERE)}, replace(MAP, nodes={**MAP.nodes, "n1": away["n1"]}))
    host, pair, lun = explain_host(there, H), explain_pair(there, H, "a"), explain_lun(there, "a")
    assert (
        [problem.command for problem in host.problems]
        == ["lunmapctl undrain n1"]
        == [lun.problems[0].command]
    )
    assert (host.is_well, pair.is_well, lun.is_well, explain_node(there, "n1").is_well) == (True,) * 4
    cut_off = world({"n1": view(), "n2": view()}, replace(MAP, nodes=away))
    assert not explain_host(cut_off, H).is_well
    assert not explain_pair(cut_off, H, "a").is_well
    assert not explain_lun(cut_off, "a").is_well


def test_a_node_that_is_behind_may_not_serve_yet() -> None:
    """What it has not applied may concern the Lun; a node that is told of is to be explained further."""
    late = view(
        HERE, applied=HistoryPoint("c", REVISION - 1, "d"), observed=HistoryPoint("c", REVISION - 1, "d")
    )
    found = checks(n1=late, n2=view(HERE))["n1", Topic.NODE]
    assert found.text == "behind: alive, converged, revision 2 of 3 is applied"
    assert (found.verdict, found.remedy) == (Verdict.UNKNOWN, "lunmapctl explain nodes/n1")
    never = view(HERE, applied=None, observed=None)
    assert "revision 0 of 3" in checks(n1=never, n2=view(HERE))["n1", Topic.NODE].text


def test_what_fails_elsewhere_does_not_concern_the_path() -> None:
    """A node with another failing object serves this Lun."""
    other = {"conditions": (Condition("Applied", status=False, reason="Failing", message="m", since=NOW),)}
    found = checks(n1=view(HERE, **failing("storage_object b", "b") | other), n2=view(HERE))
    assert found["n1", Topic.NODE] == Check(
        Topic.NODE, Verdict.OK, "alive, degraded, revision 2 of 3 is applied", "n1"
    )


@pytest.mark.parametrize(
    ("item", "lun", "topic"),
    [
        ("storage_object a", "a", Topic.DEVICE),
        (f"acl {T} 1 {H}", "", Topic.ACCESS),
        (f"tpg {T} 1", "", Topic.ACCESS),
        (f"document initiators/{H}", "", Topic.ACCESS),
    ],
)
def test_what_fails_on_the_way_is_named(item: str, lun: str, topic: Topic) -> None:
    """With its reason and message; the node itself is not to blame."""
    found = checks(n1=view(HERE, **failing(item, lun)), n2=view(HERE))
    assert found["n1", topic].verdict is Verdict.NO
    assert "Stuck: it hangs" in found["n1", topic].text
    assert found["n1", Topic.NODE].verdict is Verdict.OK


def test_a_held_change_leaves_the_path_as_it_was() -> None:
    """An object that stays is used, so the check succeeds and says what is held."""
    found = checks(n1=view(HERE, **failing("storage_object a", "a", kept=True)), n2=view(HERE))
    assert found["n1", Topic.DEVICE] == Check(Topic.DEVICE, Verdict.OK, "Stuck: it hangs", "n1")
    kept = checks(n1=view(HERE, **failing(f"acl {T} 1 {H}", kept=True)), n2=view(HERE))
    assert ("n1", Topic.ACCESS) not in kept


@pytest.mark.parametrize("item", ["portal 10.0.0.1:3260", f"portal {T} 1 10.0.0.1:3260"])
def test_a_portal_is_found_by_address_or_by_target(item: str) -> None:
    """With its only portal failing a node can't be reached."""
    found = checks(n1=view(**failing(item)), n2=view(HERE))["n1", Topic.PORTAL]
    assert (found.verdict, found.text) == (Verdict.NO, "10.0.0.1:3260 (Stuck: it hangs)")


def test_one_of_two_portals_is_enough() -> None:
    """The other one is named; a portal of another target or a kept one does not count."""
    two = Node(1, ("10.0.0.1:3260", "10.0.1.1:3260"))
    lunmap = replace(MAP, nodes={**MAP.nodes, "n1": two})
    found = checks(lunmap, n1=view(HERE, **failing("portal 10.0.0.1:3260")), n2=view(HERE))[
        "n1", Topic.PORTAL
    ]
    assert found.verdict is Verdict.OK
    assert found.text == "10.0.0.1:3260 (Stuck: it hangs), 10.0.1.1:3260"
    for item in (f"portal {OTHER} 1 10.0.0.1:3260", "portal 10.9.9.9:3260"):
        fine = checks(n1=view(HERE, **failing(item)), n2=view(HERE))["n1", Topic.PORTAL]
        assert fine.text == "10.0.0.1:3260"


def test_a_node_without_portals_can_not_be_reached() -> None:
    """The remedy is a portal in the map; without one there is nothing to log in to."""
    lunmap = replace(MAP, nodes={**MAP.nodes, "n1": Node(1)})
    found = checks(lunmap, n1=view(), n2=view(HERE))
    assert found["n1", Topic.PORTAL].remedy == "lunmapctl node set n1 portals=ADDRESS"
    assert found["n1", Topic.LOGIN].remedy == ""


def test_a_closed_alua_state_is_a_reason() -> None:
    """Only the map opens it again; a Lun of one node has none."""
    closed = replace(MAP, luns={"a": replace(LUN, preferred="n1", others=AluaState.STANDBY)})
    found = checks(closed, n1=view(HERE), n2=view(HERE))
    assert found["n1", Topic.ALUA].verdict is Verdict.OK
    assert found["n2", Topic.ALUA].remedy == "lunmapctl lun set a others=non-optimized"
    single = replace(MAP, luns={"a": replace(LUN, nodes=("n1",))})
    assert ("n1", Topic.ALUA) not in checks(single, n1=view(HERE), n2=view(HERE))


def test_a_login_is_missing_refused_or_not_listed() -> None:
    """Each has a remedy of its own: log in, set the password, compare the name."""
    assert checks(n1=view(), n2=view(HERE))["n1", Topic.LOGIN] == Check(
        Topic.LOGIN,
        Verdict.NO,
        "not logged in",
        "n1",
        "on the host: iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260 --login",
        "iscsiadm -m discovery -t sendtargets -p 10.0.0.1:3260 --login",
    )
    wrong = checks(n1=view(refused=(WRONG,)), n2=view(HERE))["n1", Topic.LOGIN]
    assert wrong.remedy == f"lunmapctl secret set {H} --user USER, and the same password on the host"
    assert wrong.command == f"lunmapctl secret set {H} --user USER"
    stranger = checks(n1=view(refused=(STRANGER,)), n2=view(HERE))["n1", Topic.LOGIN]
    assert stranger.text.endswith("once, last at 2026-01-01T00:00:00Z")
    assert stranger.remedy == f"compare /etc/iscsi/initiatorname.iscsi at 100.64.0.6 with {H}"
    other = replace(WRONG, cause="negotiation")
    assert "log of the kernel" in checks(n1=view(refused=(other,)), n2=view())["n1", Topic.LOGIN].remedy
    elsewhere = replace(WRONG, target=OTHER)
    assert checks(n1=view(refused=(elsewhere,)), n2=view())["n1", Topic.LOGIN].text == "not logged in"
    hidden = checks(n1=view(sessions=300), n2=view())["n1", Topic.LOGIN]
    assert (hidden.verdict, hidden.text) == (Verdict.UNKNOWN, "n1 lists none of its 300 logins")
    paths = explain_host(world({"n1": view(), "n2": view(sessions=300)}), H).luns[0].paths
    assert [path.word for path in paths] == ["not logged in", "n2 lists none of its 300 logins"]


def test_a_target_without_nodes_is_a_problem_of_its_own() -> None:
    """A Lun that is mapped through it has no path at all."""
    nowhere = replace(MAP, targets={T: Target({})})
    assert explain_pair(world({}, nowhere), H, "a").checks[1].text == f"no node serves {T}"
    (problem,) = explain_host(world({}, nowhere), H).problems
    assert problem.remedy == f"lunmapctl target set {T} nodes=NODE,..."
    missing = replace(MAP, targets={})
    assert explain_pair(world({}, missing), H, "a").paths == 0


def test_a_remedy_names_who_is_not_known() -> None:
    """The kernel may know neither name nor address, and a command has every option that it needs."""
    nameless = replace(STRANGER, address="")
    (_, stranger) = explain_node(world({"n1": view(refused=(nameless,)), "n2": view()}), "n1").checks
    assert (
        stranger.remedy == "compare /etc/iscsi/initiatorname.iscsi at the host with the initiators of the map"
    )
    (_, wrong) = explain_node(world({"n1": view(refused=(WRONG,)), "n2": view()}), "n1").checks
    assert wrong.remedy == f"lunmapctl secret set {H} --user USER, and the same password on the host"


def test_a_refused_login_is_shown_unless_the_host_is_in() -> None:
    """A host that logged in meanwhile has no problem with it; each problem is listed once."""
    assert explain_host(world({"n1": view(HERE, refused=(WRONG,)), "n2": view(HERE)}), H).is_well
    found = explain_host(world({"n1": view(refused=(WRONG,)), "n2": view(HERE)}), H)
    assert len(found.problems) == 1


def test_a_lun_is_shown_with_its_hosts_and_nodes() -> None:
    """Its maps, who is logged in where, and the checks of each node that do not depend on a host."""
    found = explain_lun(world({"n1": view(HERE), "n2": view()}), "a")
    assert (found.size, found.maps, found.problems) == (GIB, LUN.maps, ())
    assert [(host.initiator, host.at, host.missing) for host in found.hosts] == [(H, ("n1",), ("n2",))]
    assert not found.is_well
    assert explain_lun(world({"n1": view(HERE), "n2": view(HERE)}), "a").is_well
    dead = explain_lun(world({"n1": view(HERE), "n2": view(live=False)}), "a")
    assert [check.text for check in dead.problems] == ["dead: its session with ZooKeeper ended"]
    bare = explain_lun(replace(world({"n1": view()}), paths={}), "a")
    assert (bare.paths, bare.hosts) == ((), ())


def test_of_several_targets_those_that_a_node_serves_are_checked() -> None:
    """A node that serves one of the Lun's targets has one check of its portals."""
    maps = (Map(T, 3, H), Map(OTHER, 3, H), Map("gone", 3, H))
    targets = {T: Target({"n1": PortalGroup(1)}), OTHER: Target({"n2": PortalGroup(2)})}
    lunmap = replace(MAP, luns={"a": replace(LUN, maps=maps)}, targets=targets)
    found = explain_lun(world({"n1": view(HERE), "n2": view()}, lunmap), "a")
    assert [check.node for check in found.checks if check.topic is Topic.PORTAL] == ["n1", "n2"]
    pair = explain_pair(world({"n1": view(HERE), "n2": view()}, lunmap), H, "a")
    assert (pair.usable, pair.paths) == (1, 2)


def test_a_node_is_shown_with_what_depends_on_it() -> None:
    """Hosts that are logged in nowhere else lose their Luns with it."""
    found = explain_node(world({"n1": view(HERE), "n2": view()}), "n1")
    assert found.is_well
    assert (found.targets, found.hosts, found.luns) == ({T: ("10.0.0.1:3260",)}, (H,), 1)
    assert found.losses == (Loss(H, ("a",)),)
    both = {"n1": view(HERE), "n2": view(HERE)}
    assert explain_node(world(both), "n1").losses == ()
    assert explain_node(world(both), "n2").hosts == (H,)


def test_everything_that_is_wrong_with_a_node_is_listed() -> None:
    """Its conditions, failing objects and refused logins; of a dead node nothing is known."""
    condition = Condition("Applied", status=False, reason="Failing", message="m", since=NOW)
    good = Condition("MapKept", status=True, reason="Kept", message="m", since=NOW)
    sick = view(conditions=(condition, good), refused=(WRONG,), **failing("storage_object a", "a"))
    found = explain_node(world({"n1": sick}), "n1")
    assert [(check.topic, check.text.partition(":")[0]) for check in found.checks] == [
        (Topic.NODE, "degraded"),
        (Topic.NODE, "Applied"),
        (Topic.DEVICE, "storage_object a"),
        (Topic.LOGIN, H.partition(":")[0]),
    ]
    assert explain_node(world({"n1": view(**failing(f"tpg {T} 1"))}), "n1").checks[1].topic is Topic.ACCESS
    dead = explain_node(world({"n1": view(HERE, live=False)}), "n1")
    assert (dead.hosts, len(dead.checks), dead.is_well) == ((), 1, False)
    gone = replace(MAP, nodes={})
    assert explain_node(world({}, gone), "n1").targets == {}


def test_a_login_of_a_node_that_left_the_target_has_no_portal() -> None:
    """The map may have lost the node between the read of the map and that of its status."""
    lunmap = replace(MAP, nodes={"n2": MAP.nodes["n2"]})
    found = checks(lunmap, n1=view(), n2=view(HERE))
    assert found["n1", Topic.PORTAL].text == f"n1 does not serve {T}"
    assert found["n1", Topic.LOGIN].remedy == ""
    assert Login(T, H) == HERE


def test_a_command_with_a_name_of_others_can_be_pasted() -> None:
    """A login sends any name: in a shell it stays one word, and begins no other command."""
    forged = replace(WRONG, initiator="iqn.x; reboot #$(id)")
    (_, wrong) = explain_node(world({"n1": view(refused=(forged,)), "n2": view()}), "n1").checks
    words = ["lunmapctl", "secret", "set", "iqn.x; reboot #$(id)", "--user", "USER"]
    assert shlex.split(wrong.command) == words
