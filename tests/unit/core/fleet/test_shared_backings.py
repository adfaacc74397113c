"""Totals of what a node has opened, which are equal among the nodes of the Luns."""

from msgspec.structs import replace

from lunmapd.core.base.backings import User
from lunmapd.core.fleet.shared_backings import BackingTotals, shared_backings
from lunmapd.core.node.backing_facts import BackingFacts
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.projection.project_map import project_map
from support.small_map import LUN, MAP, T

MIB = 1 << 20


def test_luns_of_the_same_nodes_have_one_total() -> None:
    """Luns of this node alone, of other nodes, without a size, path or storage object are left out."""
    luns = {
        "a": LUN,
        "b": replace(LUN, attributes={"block_size": 4096}),
        "alone": replace(LUN, nodes=("n1",)),
        "elsewhere": replace(LUN, nodes=("n2",)),
        "program": replace(LUN, backing=User("none/x")),
    }
    lunmap = replace(MAP, luns=luns)
    facts = dict.fromkeys(("a", "b", "alone", "elsewhere", "program", "gone"), BackingFacts(size=MIB))
    observed = Observed(project_map(lunmap, "n1"), backings=facts)
    assert shared_backings(lunmap, "n1", observed) == {("n1", "n2"): BackingTotals(2, 2 * MIB, 2048 + 256)}
    assert shared_backings(lunmap, "n3", observed) == {}
    device = replace(MAP, luns={"a": replace(LUN, size=None)})
    unknown = Observed(project_map(device, "n1"), backings={"a": BackingFacts(block_size=4096)})
    assert T in MAP.targets
    assert shared_backings(device, "n1", unknown) == {}
