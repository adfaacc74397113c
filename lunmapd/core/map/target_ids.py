"""The ids of TPGs: the relative target port id of a target on a node, and the TPG tag of a node.

Initiators read both from VPD page 83h (SPC-4, section 7.8.6) and use them to tell paths apart.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import differing_names


class IdUse(NamedTuple):
    """The node that has an id, and the identity for which it has it: `TARGET NODE`, or the node."""

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
    return {
        group.port_id: IdUse(node, f"{iqn} {node}")
        for iqn in targets
        if iqn in lunmap.targets
        for node, group in lunmap.targets[iqn].nodes.items()
        if group.port_id
    }


def differing_tags(one: Lunmap, other: Lunmap) -> dict[int, IdUse]:
    """Return the TPG tags of `one` that `other` does not have for the same node."""
    names = differing_names(one.nodes, other.nodes)
    there = _tags_of(other, names)
    return {number: use for number, use in _tags_of(one, names).items() if there.get(number) != use}


def _tags_of(lunmap: Lunmap, nodes: Collection[str]) -> dict[int, IdUse]:
    return {lunmap.nodes[name].tpg_tag: IdUse(name, name) for name in nodes if name in lunmap.nodes}
