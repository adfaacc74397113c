"""The paths of mapped Luns: a commit that changes one must name the Lun.

The serial, and with it the WWID, stays as it is, so no setting, login or rescan of an initiator can notice
that another path has other data.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from lunmapd.core.base.backings import User, plugin_of
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, reporting_nodes, source_on


def check_sources(
    before: Lunmap, after: Lunmap, rebacking: AbstractSet[str] = frozenset()
) -> Iterator[Problem]:
    """Check that every Lun mapped in both maps keeps its path or configuration on each node.

    The Luns named in `rebacking` may change it. Devices are not compared, only paths.
    """
    both = before.nodes.keys() & after.nodes.keys()
    rewriting = any(before.nodes[name].devices != after.nodes[name].devices for name in both)
    for name in sorted((before.luns.keys() & after.luns.keys()) - rebacking):
        was, now = before.luns[name], after.luns[name]
        # Another kind of backing is refused in any case (changes.py).
        if (rewriting or was != now) and plugin_of(was.backing) == plugin_of(now.backing):
            yield from _sources(before, after, name)


def _sources(before: Lunmap, after: Lunmap, name: str) -> Iterator[Problem]:
    """Check the nodes that report the Lun in both maps; if no node does, those that report it now.

    A node that reports the Lun only now is compared by its present `devices`.
    """
    was, now = before.luns[name], after.luns[name]
    if not was.maps or not now.maps:
        return
    earlier, later = set(reporting_nodes(before, was)), set(reporting_nodes(after, now))
    for node in sorted((earlier & later or later) & after.nodes.keys()):
        present = after.nodes[node]
        former = before.nodes.get(node, present) if node in earlier else present
        old, new = source_on(was, node, former), source_on(now, node, present)
        if old != new:
            yield Problem(_place(name, was, now, node, former), _sentence(name, node, old, new))


def _place(name: str, was: Lun, now: Lun, node: str, former: Node) -> Place:
    """Return the field that is responsible: that of the Lun if it alone changes the path, else the node's."""
    if source_on(was, node, former) == source_on(now, node, former):
        return ("nodes", node, "devices")
    overrides = (getattr(lun.backing, "overrides", {}).get(node) for lun in (was, now))
    if len(set(overrides)) > 1:
        return ("luns", name, "backing", "overrides", node)
    return ("luns", name, "backing", "config" if isinstance(now.backing, User) else "path")


def _sentence(name: str, node: str, old: str, new: str) -> str:
    return (
        f"on node {node} Lun {name} would change from {old} to {new}: other data under the same WWID, which "
        "no initiator notices; make a new Lun for other data; to allow it, such as for another name "
        f"of the same device: --rebacking {name}"
    )
