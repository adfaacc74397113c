"""The map that `lunmapctl export` writes a node's part of."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, NodeState
from lunmapd.core.node import lio_objects
from lunmapd.service.ctl.export import ExportError, exported_map, exported_objects, missing_groups
from lunmapd.store.tree.snapshot import Snapshot
from support.floating_map import MIXED, T
from support.takeover_map import TAKEOVER

NODES = {"n1": Node(1, ("10.0.0.1:3260",))}
BEFORE, AFTER = Lun(Block("/dev/vg0/a"), "ab"), Lun(Block("/dev/vg0/b"), "cd")


def snapshot(*, unreadable: dict[str, str] | None = None) -> Snapshot:
    """Return a map with a Lun whose out-of-band edit gives it another serial."""
    lunmap = Lunmap(luns={"a": AFTER}, nodes=NODES)
    return Snapshot("c", 2, "e", "d", 0, lunmap, unreadable or {}, edited={"luns/a": encode(BEFORE)})


def test_an_edit_that_nodes_refuse_is_not_exported() -> None:
    """Nodes serve the Lun as the revisions have it, so the file has it, too."""
    assert exported_map(snapshot(), "n1").luns == {"a": BEFORE}


def test_a_node_that_is_missing_or_a_document_that_is_not_read_is_refused() -> None:
    """The file would lack what can't be read."""
    with pytest.raises(ExportError, match="no node 'n9'"):
        exported_map(snapshot(), "n9")
    with pytest.raises(ExportError, match="luns/b can't be read, and would be missing: damaged"):
        exported_map(snapshot(unreadable={"luns/b": "damaged"}), "n1")


def test_a_floating_group_is_exported_disabled() -> None:
    """Nothing protects its address without lunmapd, so it is left to whoever has the file."""
    objects = exported_objects(MIXED, "n1")
    enabled = [item.tag for item in objects.values() if isinstance(item, lio_objects.Enabled)]
    assert (enabled, ("tpg", T, 1001) in objects) == ([1], True)
    (text,) = missing_groups(MIXED, "n1")
    assert text.startswith(f"the address of floating group gold: TPG 1001 of {T} is disabled there;")
    assert list(missing_groups(MIXED, "n3")) == []


def test_a_list_of_preferred_nodes_is_exported_as_the_first_one() -> None:
    """No lease opens a path without lunmapd, so one node's path is open; a drained node is passed over."""
    assert _states(TAKEOVER) == {"n1": "optimized", "n2": "standby"}
    drained = replace(TAKEOVER.nodes["n1"], state=NodeState.DRAINED)
    assert _states(replace(TAKEOVER, nodes={**TAKEOVER.nodes, "n1": drained}))["n2"] == "optimized"
    (text,) = missing_groups(TAKEOVER, "n2")
    assert text.endswith("that prefer n1, n2: they are optimized on n1 alone, and stay so when it fails")


def _states(lunmap: Lunmap) -> dict[str, str]:
    """Return the state of the Lun in the file of each node."""
    found = {name: exported_objects(lunmap, name)["storage_object", "a"] for name in lunmap.nodes}
    return {
        name: item.alua.state
        for name, item in found.items()
        if isinstance(item, lio_objects.StorageObject) and item.alua is not None
    }
