"""The enablement of floating portal groups: by leases alone."""

from lunmapd.core.node import lio_objects
from lunmapd.core.node.projection.leases import as_leased
from lunmapd.core.node.projection.project_map import project_map
from support.floating_map import MIXED, T

KEY: lio_objects.Key = ("enabled", T, 1001)


def test_a_group_stays_enabled_or_disabled() -> None:
    """Nothing else is left out: a node that becomes the owner has to enable the TPG only."""
    whole = project_map(MIXED, "n1")
    assert as_leased(whole, {KEY}) == whole
    assert whole.keys() - as_leased(whole, set()).keys() == {KEY}


def test_what_the_map_enables_is_not_left_to_leases() -> None:
    """The node's own TPG is enabled whether it is observed to be or not."""
    assert ("enabled", T, 1) in as_leased(project_map(MIXED, "n1"), set())
