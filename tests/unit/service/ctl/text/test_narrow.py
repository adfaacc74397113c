"""A status that is limited to one object, or to what is wrong."""

from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import AluaState, FloatingGroup, Lun, Lunmap, Map, Target
from lunmapd.core.fleet.group_owners import OwnedGroup
from lunmapd.core.fleet.logins import Host
from lunmapd.core.fleet.lun_paths import LunPaths
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.core.fleet.path_problems import LostLogin, find_path_problems
from lunmapd.core.fleet.status import Standing
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.ctl.page.overview import verdict
from lunmapd.service.ctl.text.group_lines import owned_groups_table
from lunmapd.service.ctl.text.narrow import only_bad, only_object
from lunmapd.service.ctl.text.node_lines import NodeLine
from lunmapd.service.ctl.text.summary import FleetStatus, all_well, problems_of, sum_line

T = "iqn.2026-01.org.example:t"
OK1, OK2, GONE = NodePath("n1", "ok"), NodePath("n2", "ok"), NodePath("n3", "dead")
LUNS = (
    LunPaths("a", 2, 2, (OK1, OK2), (Host("h1", T, ("n1", "n2")),)),
    LunPaths("b", 1, 2, (OK2, GONE), (Host("h2", T, ("n2",)),)),
    LunPaths("c", 0, 1, (GONE,), (Host("h2", T),)),
)


def line(node: str, *, alive: bool = True) -> NodeLine:
    """Return the line of a node that has applied everything, if it lives."""
    standing = Standing.CONVERGED if alive else Standing.UNKNOWN
    return NodeLine(node, alive, standing, 7, 7, 0, "", 0.0, 1, 1, 0, "", () if alive else ("it is dead",))


GOLD = OwnedGroup(T, "gold", ("10.0.0.9:3260",), "n1", "ok", "10:00", ("n2",))
SILVER = replace(GOLD, name="n2,n3", portals=(), owner="", state="no-owner", reasons=("n2 could take it",))
LUN = Lun(Block("/dev/a"), "1" * 32, maps=(Map(T, 0, "h1"),))
TAKEN = replace(LUN, preferred=("n2", "n3"), others=AluaState.STANDBY)
LUNMAP = Lunmap(
    {"a": LUN, "b": TAKEN, "c": TAKEN},
    {T: Target({}, floating={"gold": FloatingGroup(1001, GOLD.portals, ("n1", "n2"))})},
)
STATUS = FleetStatus(
    "c",
    7,
    "d",
    (line("n1"), line("n2"), line("n3", alive=False)),
    {},
    lun_count=10_000,
    lun_troubles=find_path_problems(LUNS),
    lost_logins=(LostLogin("h1", T, ("n1",), ("n2",), 1), LostLogin("h2", T, ("n2",), ("n3",), 1)),
    luns=LUNS,
    backings_unreadable={"n3": "broken"},
    groups=(GOLD, SILVER),
)


def shown(status: FleetStatus) -> tuple[list[str], list[str]]:
    """Return the nodes and the Luns of a status."""
    return [each.node for each in status.nodes], [each.lun for each in status.luns or ()]


def test_the_sum_counts_what_is_well() -> None:
    """With thousands of Luns it is one line."""
    assert sum_line(STATUS) == (
        "3 nodes, 1 dead; 10,000 Luns: 9,998 ok, 1 degraded, 1 without a path; 2 groups: 1 ok, 1 without an owner"
    )


def test_only_what_is_bad_is_left() -> None:
    """A node that is well and a Lun with all its paths are left out; the problems stay."""
    assert shown(only_bad(STATUS)) == (["n3"], ["b", "c"])
    assert only_bad(STATUS).lun_troubles == STATUS.lun_troubles


def test_a_lun_has_its_nodes() -> None:
    """Problems of other Luns are none of it: a Lun with all its paths is well."""
    one = only_object(STATUS, LUNMAP, "luns", "a")
    assert shown(one) == (["n1", "n2"], ["a"])
    assert all_well(one)
    assert sum_line(only_object(STATUS, LUNMAP, "luns", "b")) == (
        "2 nodes, 1 dead; 1 Lun: 0 ok, 1 degraded; 1 group: 0 ok, 1 without an owner"
    )


def test_a_host_has_its_luns_and_their_nodes() -> None:
    """Also the Luns without any path."""
    assert shown(only_object(STATUS, LUNMAP, "initiators", "h2")) == (["n2", "n3"], ["b", "c"])


def test_a_node_has_the_luns_that_lack_a_path() -> None:
    """Logins that others lost are left out, and what is unreadable elsewhere too."""
    one = only_object(STATUS, LUNMAP, "nodes", "n1")
    assert shown(one) == (["n1"], [])
    assert ([each.initiator for each in one.lost_logins], one.backings_unreadable) == (["h1"], {})
    assert shown(only_object(STATUS, LUNMAP, "nodes", "n3")) == (["n3"], ["b", "c"])


def test_only_the_groups_of_an_object_are_left() -> None:
    """Those that lead to a Lun or to the Luns of a host, and those that a node may own."""
    assert only_object(STATUS, LUNMAP, "luns", "a").groups == (GOLD,)
    assert only_object(STATUS, LUNMAP, "luns", "b").groups == (SILVER,)
    assert only_object(STATUS, LUNMAP, "initiators", "h2").groups == (SILVER,)
    assert only_object(STATUS, LUNMAP, "nodes", "n1").groups == (GOLD,)
    assert only_object(STATUS, LUNMAP, "nodes", "n2").groups == (GOLD, SILVER)
    assert only_bad(STATUS).groups == (SILVER,)


def test_a_group_without_an_owner_is_a_problem() -> None:
    """A group may lead to no Lun, or to Luns that are usable without an owner."""
    well = replace(STATUS, nodes=(line("n1"),), lun_troubles=(), groups=(GOLD,))
    assert all_well(well)
    assert problems_of(well) == []
    bad = replace(well, groups=(SILVER,) * 12)
    assert not all_well(bad)
    first, *_, last = problems_of(bad)
    assert first == f"takeover group n2,n3 of {T} has no owner: n2 could take it"
    assert (len(problems_of(bad)), last) == (11, "2 more groups have no owner; see 'lunmapctl float list'")
    assert verdict(bad) == "Not all is well: 12 groups have no owner."


def test_the_table_of_groups_has_their_owners() -> None:
    """With the nodes that could take them over."""
    heading, *lines = owned_groups_table(STATUS.groups, ShortNames({T: "t"})).lines()
    assert heading.split() == ["TARGET", "GROUP", "OWNER", "STATE", "STANDBY", "SINCE"]
    assert [each.split() for each in lines] == [
        ["t", "gold", "n1", "ok", "n2", "10:00"],
        ["t", "n2,n3", "-", "no-owner", "n2", "10:00"],
    ]
