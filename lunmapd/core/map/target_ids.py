"""The ids of TPGs: the relative target port id of a target on a node, and the TPG tag of a node.

Initiators read both from VPD page 83h (SPC-4, section 7.8.6) and use them to tell paths apart.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import differing_names

FLOATING_PREFIX = "floating/"
"""What the name of a floating portal group has before it in an identity; no name of a node has a slash."""


class IdUse(NamedTuple):
    """The node or floating group that has an id, and the identity for which it has it.

    The identity is `TARGET NODE` of a port id, the node of a tag, and `TARGET floating/GROUP` of both.
    """

    node: str
    identity: str


IdUses = Mapping[int, IdUse]


def differing_port_ids(one: Lunmap, other: Lunmap) -> dict[int, IdUse]:
    """Return the port ids of `one` that `other` does not have for the same target and node.

    0 stands for an id that is not chosen yet, and is left out.
    """
    names = differing_names(one.targets, other.targets)
    there = _port_ids_of(other, names)
    return {number: use for number, use in _port_ids_of(one, names).items() if there.get(number) != use}


def _port_ids_of(lunmap: Lunmap, targets: Collection[str]) -> dict[int, IdUse]:
    known = {iqn: lunmap.targets[iqn] for iqn in targets if iqn in lunmap.targets}
    fixed = {
        group.port_id: IdUse(node, f"{iqn} {node}")
        for iqn, target in known.items()
        for node, group in target.nodes.items()
    }
    floating = {
        group.port_id: IdUse(name, f"{iqn} {FLOATING_PREFIX}{name}")
        for iqn, target in known.items()
        for name, group in target.floating.items()
    }
    return {number: use for number, use in (fixed | floating).items() if number}


def differing_tags(one: Lunmap, other: Lunmap) -> dict[int, IdUse]:
    """Return the TPG tags of `one` that `other` does not have for the same node or floating group."""
    nodes = differing_names(one.nodes, other.nodes)
    targets = differing_names(one.targets, other.targets)
    there = _tags_of(other, nodes, targets)
    return {number: use for number, use in _tags_of(one, nodes, targets).items() if there.get(number) != use}


def _tags_of(lunmap: Lunmap, nodes: Collection[str], targets: Collection[str]) -> dict[int, IdUse]:
    fixed = {lunmap.nodes[name].tpg_tag: IdUse(name, name) for name in nodes if name in lunmap.nodes}
    floating = {
        group.tpg_tag: IdUse(name, f"{iqn} {FLOATING_PREFIX}{name}")
        for iqn in targets
        if iqn in lunmap.targets
        for name, group in lunmap.targets[iqn].floating.items()
    }
    return fixed | floating
