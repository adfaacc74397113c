"""Why a node can't be drained: each cause with what helps."""

import pytest
from msgspec.structs import replace

from lunmapd.client import OnlyWay
from lunmapd.core.fleet.node_path import NodePath
from lunmapd.service.ctl.text.drain_lines import only_way_lines
from support.small_map import LUN, MAP, H, T


@pytest.mark.parametrize(
    ("others", "remedy"),
    [
        ((NodePath("n2", "ok"),), "log it in at n2 first"),
        ((NodePath("n2", "standby"),), "'lunmapctl lun set a preferred=n2' opens another path"),
        ((NodePath("n2", "dead"),), "bring another path back first: n2 dead"),
        ((), "'lunmapctl target set t nodes=n1,n2,NODE' lets another node serve it"),
    ],
)
def test_each_cause_has_its_remedy(others: tuple[NodePath, ...], remedy: str) -> None:
    """A login, another state, another node, or a node for the target."""
    (line,) = only_way_lines(MAP, "n1", [OnlyWay("a", H, T, logged_in=True, others=others)])
    assert line == f"n1 is the only way: a for h, logged in; {remedy}, or --allow data-unreachable"


def test_a_lun_of_one_node_needs_another_one() -> None:
    """Its `nodes` have to name it."""
    lunmap = replace(MAP, luns={"a": replace(LUN, nodes=("n1",))})
    (line,) = only_way_lines(lunmap, "n1", [OnlyWay("a", H, T, logged_in=False)])
    assert "for h, not logged in; 'lunmapctl lun set a nodes=n1,NODE' lets another node report it" in line


def test_alike_luns_share_a_line_and_lines_are_bounded() -> None:
    """Thousands of Luns fit on a screen."""
    alike = [
        OnlyWay(f"l{number}", H, T, logged_in=True, others=(NodePath("n2", "dead"),)) for number in range(9)
    ]
    (line,) = only_way_lines(MAP, "n1", alike)
    assert "l0, l1, l2 and 6 more for h" in line
    many = [OnlyWay("a", f"{H}{number}", T, logged_in=True) for number in range(12)]
    lines = list(only_way_lines(MAP, "n1", many))
    assert (len(lines), lines[-1]) == (11, "2 more such")
