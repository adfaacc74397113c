"""The tables of the objects of the map."""

import pytest

from lunmapd.core.base.lunmap import Lunmap, Target
from lunmapd.core.map.short_names import ShortNames
from lunmapd.service.ctl.text.tables import targets_table
from support.floating_map import FLOATING, MIXED, T
from support.small_map import MAP
from support.small_map import T as PLAIN


@pytest.mark.parametrize(
    ("lunmap", "iqn", "nodes"),
    [
        (MAP, PLAIN, "n1,n2"),
        (FLOATING, T, "gold:n1>n2"),
        (MIXED, T, "n1,n3,gold:n1>n2"),
        (Lunmap(targets={T: Target({})}), T, "-"),
    ],
)
def test_a_target_is_shown_with_its_nodes_and_groups(lunmap: Lunmap, iqn: str, nodes: str) -> None:
    """The nodes of a floating group are in the order of preference."""
    head, row = targets_table(lunmap, {}, ShortNames()).lines()
    assert head.split() == ["TARGET", "NODES", "ALIAS"]
    assert row.split() == [iqn, nodes, "-"]
