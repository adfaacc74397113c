"""The paths and configurations of a Lun in two maps, compared node by node. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lunmapd.core.base.lunmap import Lun, Lunmap, Node, reporting_nodes
from lunmapd.core.placement.backing_paths import source_on


class NodeSources(NamedTuple):
    """What a Lun had on a node, and has now; `former` is the node with which the old one was found."""

    node: str
    former: Node
    old: str
    new: str


def rewrites_differ(before: Lunmap, after: Lunmap) -> bool:
    """Return whether any node that is in both maps rewrites paths otherwise."""
    both = before.nodes.keys() & after.nodes.keys()
    return any(before.nodes[name].devices != after.nodes[name].devices for name in both)


def sources_on_nodes(
    before: Lunmap, was: Lun, after: Lunmap, now: Lun, nodes: Iterable[str]
) -> Iterator[NodeSources]:
    """Yield what the Lun `was` in `before`, and `now` in `after`, has on each of the nodes of `after`.

    A node that did not report the Lun in `before` is compared by its present `devices`.
    """
    earlier = reporting_nodes(before, was)
    for node in nodes:
        present = after.nodes[node]
        former = before.nodes.get(node, present) if node in earlier else present
        yield NodeSources(node, former, source_on(was, node, former), source_on(now, node, present))
