"""A status that is limited to one object, or to what is wrong."""

from lunmapd.core.fleet.lun_paths import Host, LostLogin, LunPaths, NodePath, find_path_problems
from lunmapd.core.fleet.status import Standing
from lunmapd.service.ctl.text.narrow import only_bad, only_object
from lunmapd.service.ctl.text.node_lines import NodeLine
from lunmapd.service.ctl.text.summary import FleetStatus, all_well, sum_line

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
)


def shown(status: FleetStatus) -> tuple[list[str], list[str]]:
    """Return the nodes and the Luns of a status."""
    return [each.node for each in status.nodes], [each.lun for each in status.luns or ()]


def test_the_sum_counts_what_is_well() -> None:
    """With thousands of Luns it is one line."""
    assert sum_line(STATUS) == "3 nodes, 1 dead; 10,000 Luns: 9,998 ok, 1 degraded, 1 without a path"


def test_only_what_is_bad_is_left() -> None:
    """A node that is well and a Lun with all its paths are left out; the problems stay."""
    assert shown(only_bad(STATUS)) == (["n3"], ["b", "c"])
    assert only_bad(STATUS).lun_troubles == STATUS.lun_troubles


def test_a_lun_has_its_nodes() -> None:
    """Problems of other Luns are none of it: a Lun with all its paths is well."""
    one = only_object(STATUS, "luns", "a")
    assert shown(one) == (["n1", "n2"], ["a"])
    assert all_well(one)
    assert sum_line(only_object(STATUS, "luns", "b")) == "2 nodes, 1 dead; 1 Lun: 0 ok, 1 degraded"


def test_a_host_has_its_luns_and_their_nodes() -> None:
    """Also the Luns without any path."""
    assert shown(only_object(STATUS, "initiators", "h2")) == (["n2", "n3"], ["b", "c"])


def test_a_node_has_the_luns_that_lack_a_path() -> None:
    """Logins that others lost are left out, and what is unreadable elsewhere too."""
    one = only_object(STATUS, "nodes", "n1")
    assert shown(one) == (["n1"], [])
    assert ([each.initiator for each in one.lost_logins], one.backings_unreadable) == (["h1"], {})
    assert shown(only_object(STATUS, "nodes", "n3")) == (["n3"], ["b", "c"])
