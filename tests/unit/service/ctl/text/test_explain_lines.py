"""Explanations, as they are printed."""

from collections.abc import Iterable

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Map
from lunmapd.core.explain.host import explain_host, explain_pair
from lunmapd.core.explain.lun import explain_lun
from lunmapd.core.explain.node import explain_node
from lunmapd.core.fleet.status import Failing
from lunmapd.core.map.short_names import short_names
from lunmapd.core.node.refused_logins import RefusedLogins
from lunmapd.service.ctl.text.explain_lines import (
    host_paragraphs,
    lun_paragraphs,
    node_paragraphs,
    pair_paragraphs,
)
from lunmapd.service.table import Layout
from support.explaining import world
from support.forecasts import HERE, NOW, view
from support.small_map import LUN, MAP, H, T

NAMES = short_names(MAP)
ONE_DEAD = world({"n1": view(HERE), "n2": view(live=False)})
WWID = "36001405" + "1" * 25


def printed(paragraphs: Iterable[Iterable[str]]) -> list[str]:
    """Return all lines."""
    return [line for paragraph in paragraphs for line in paragraph]


def test_a_host_has_a_line_for_each_lun() -> None:
    """Then come the problems, each with the command that mends it."""
    assert printed(host_paragraphs(explain_host(ONE_DEAD, H), NAMES)) == [
        H,
        "logged in to t at n1",
        "LUN  AT  VOLUME  ACCESS  SIZE   PATHS           WWID",
        f"3    t   a       rw      1 GiB  n1 ok, n2 DEAD  {WWID}",
        "n2     node    NO  dead: its session with ZooKeeper ended",
        "               -> on n2: systemctl status lunmapd",
    ]


def test_nodes_in_one_state_share_a_word() -> None:
    """So the paths of three nodes and a WWID fit 80 columns."""
    well = world({"n1": view(HERE), "n2": view(HERE)})
    lines = printed(host_paragraphs(explain_host(well, H), NAMES, Layout(80)))
    assert lines[3] == f"3    t   a       rw      1 GiB  n1,n2 ok  {WWID}"


def test_a_host_without_luns_says_so() -> None:
    """Its groups are named all the same."""
    bare = replace(MAP, luns={}, groups={"web": Group((H,))})
    assert printed(host_paragraphs(explain_host(world({}, bare), H), NAMES)) == [
        f"{H}   groups: web",
        "logged in to nothing",
        "no Lun is mapped to it or to a group of it",
    ]


def test_a_pair_has_every_check_in_80_columns() -> None:
    """Sentences are wrapped, commands are not."""
    refused = RefusedLogins(T, "authentication", 2, NOW, NOW, H, "100.64.0.5")
    found = explain_pair(world({"n1": view(refused=(refused,)), "n2": view(HERE)}), H, "a")
    lines = printed(pair_paragraphs(found, NAMES))
    assert lines[:2] == ["h sees a through 1 of 2 paths:", f"-      mapped  LUN 3 at {T}, rw"]
    assert (
        f"               -> lunmapctl secret set {H} --user USER, and the same password on the host" in lines
    )
    assert all(len(line) <= 80 for line in lines if "->" not in line)
    off = explain_pair(world({"n1": view(), "n2": view()}), H, "a")
    assert printed(pair_paragraphs(off, NAMES))[0] == "h does not see a:"


def test_a_lun_has_its_hosts_and_nodes() -> None:
    """A host that is not logged in somewhere is in the table."""
    lines = printed(lun_paragraphs(explain_lun(world({"n1": view(HERE), "n2": view()}), "a"), NAMES))
    assert lines[:5] == [
        f"a: WWID {WWID}, 1 GiB",
        "LUN  AT  FOR  ACCESS",
        "3    t   h    rw",
        "HOST  TARGET  LOGGED IN AT  NOT AT  UNKNOWN AT",
        "h     t       n1            n2      -",
    ]
    group = replace(MAP, groups={"web": Group()}, luns={"a": replace(LUN, maps=(Map(T, 1, group="web"),))})
    assert "group web" in printed(lun_paragraphs(explain_lun(world({}, group), "a"), NAMES))[2]
    bare = replace(MAP, luns={"a": replace(LUN, size=None, maps=())})
    nobody = replace(world({}, bare), reports={})
    assert printed(lun_paragraphs(explain_lun(nobody, "a"), NAMES)) == [
        f"a: WWID {WWID}",
        "it is mapped to nobody",
    ]


def test_a_node_has_what_depends_on_it() -> None:
    """Its targets, and who loses what if it goes."""
    assert printed(node_paragraphs(explain_node(ONE_DEAD, "n1"), NAMES)) == [
        "n1     node    alive, converged",
        "TARGET  PORTALS",
        "t       10.0.0.1:3260",
        "1 Lun; logged in: h",
        "if it goes, h loses a",
    ]
    none = replace(MAP, targets={}, luns={})
    assert printed(node_paragraphs(explain_node(world({"n1": view()}, none), "n1"), NAMES))[1:] == [
        "it serves no target",
        "0 Luns; logged in: nobody",
        "if it goes, no host that is logged in loses a Lun",
    ]


def test_many_lines_are_cut() -> None:
    """The rest is in the JSON."""
    failing = tuple(Failing(f"lun {number}", "Stuck", "m") for number in range(60))
    sick = world({"n1": view(failing=failing, failing_count=60)})
    assert "11 more lines; '-o json' has all" in printed(node_paragraphs(explain_node(sick, "n1"), NAMES))
