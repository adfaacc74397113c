"""Totals of what a node has opened for the Luns that other nodes report too, for comparison among the nodes.

A metric may not name a Lun. All Luns that the same nodes report have one total, which is equal on each of
these nodes unless they have opened different devices.
"""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from lunmapd.core.base.backings import plugin_of
from lunmapd.core.base.lunmap import Lunmap, reporting_nodes
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed

_BLOCK = 512  # bytes: LIO's block size for a file (FD_BLOCKSIZE in drivers/target/target_core_file.h)


class BackingTotals(Struct, frozen=True):
    """The number of Luns, and the sums of their sizes in bytes and in logical blocks."""

    luns: int = 0
    bytes: int = 0
    blocks: int = 0


def shared_backings(lunmap: Lunmap, node: str, observed: Observed) -> Mapping[tuple[str, ...], BackingTotals]:
    """Return the totals by the sorted names of the nodes that report a Lun, this one among them."""
    totals = defaultdict[tuple[str, ...], BackingTotals](BackingTotals)
    for name, facts in observed.backings.items():
        lun, item = lunmap.luns.get(name), observed.objects.get(("storage_object", name))
        if (
            lun is None
            or not plugin_of(lun.backing).on_path
            or not isinstance(item, lio_objects.StorageObject)
        ):
            continue
        nodes, size = reporting_nodes(lunmap, lun), item.size or facts.size
        if node in nodes and len(nodes) > 1 and size:
            block = lun.attributes.get("block_size") or facts.block_size or _BLOCK
            before = totals[nodes]
            totals[nodes] = BackingTotals(before.luns + 1, before.bytes + size, before.blocks + size // block)
    return dict(totals)
