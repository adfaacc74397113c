"""The map that `lunmapctl export` writes a node's part of."""

import pytest

from lunmapd.core.base.backings import Block
from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lun, Lunmap, Node
from lunmapd.core.node import lio_objects
from lunmapd.service.ctl.export import ExportError, exported_map, exported_objects, missing_groups
from lunmapd.store.tree.snapshot import Snapshot
from support.floating_map import MIXED, T

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
