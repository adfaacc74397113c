"""The input of a pass, where the node's own document was removed out of band."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.pass_input import Circumstances, NodeUnknownError, pass_input
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.decide import PassInput, compare
from lunmapd.core.secrets.sealing import Keyring
from lunmapd.store.tree.snapshot import Snapshot
from support.small_map import MAP


def without_node(lunmap: Lunmap) -> PassInput:
    """Return the input of n1 whose document is missing from this map."""
    nodes = {name: node for name, node in lunmap.nodes.items() if name != "n1"}
    edited = {"nodes/n1": encode(lunmap.nodes["n1"])}
    snapshot = Snapshot("c", 2, "e", "d", 0, replace(lunmap, nodes=nodes), edited=edited)
    return pass_input("n1", snapshot, Policy(), Keyring(), Circumstances())


def test_a_node_whose_document_is_missing_serves_its_targets() -> None:
    """As long as a target names it, the node follows the map with its committed document."""
    given, whole = without_node(MAP), Snapshot("c", 2, "d", "d", 0, MAP)
    expected = compare(pass_input("n1", whole, Policy(), Keyring(), Circumstances()), Observed())
    found = compare(given, Observed())
    assert found.desired == expected.desired
    assert {failure.reason for failure in found.desire.failures.values()} <= {"EditRefused"}


def test_a_node_that_nothing_names_any_more_is_unknown() -> None:
    """Its removal may be intended, so it changes nothing."""
    with pytest.raises(NodeUnknownError):
        without_node(replace(MAP, luns={}, targets={}))
