"""Edits of targets and nodes."""

from collections.abc import Iterable

from msgspec.structs import replace

from lunmapd.core.base.backings import RamDisk
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, NodeState, PortalGroup, Target
from lunmapd.core.base.text import first_of
from lunmapd.core.edits.errors import StillUsedError
from lunmapd.core.edits.find import find_node, find_target
from lunmapd.core.edits.maps import FreeNumbers, without_maps
from lunmapd.core.edits.objects import add_object, with_object, without_object
from lunmapd.core.placement.leased_groups import preferred_nodes

_MAX_NAMED = 5


def create_target(lunmap: Lunmap, iqn: str, target: Target) -> Lunmap:
    """Return the map with a new target. Raises DiffersError for one that is there and differs."""
    for node in target.nodes:
        find_node(lunmap, node)
    return add_object(lunmap, "targets", iqn, target, "target set")


def delete_target(lunmap: Lunmap, iqn: str, *, unmap: bool = False) -> Lunmap:
    """Return the map without a target. With `unmap` it may show Luns. Raises StillUsedError."""
    if iqn not in lunmap.targets:
        return lunmap
    used = [name for name, lun in lunmap.luns.items() if any(each.target == iqn for each in lun.maps)]
    if used and not unmap:
        raise StillUsedError(
            f"{iqn} shows {first_of(used, _MAX_NAMED)}: remove their devices on the hosts, then add --unmap"
        )
    return without_object(without_maps(lunmap, target=iqn), "targets", iqn)


def add_node(lunmap: Lunmap, name: str, node: Node, targets: Iterable[str], free: FreeNumbers) -> Lunmap:
    """Return the map with a node that serves these targets. A TPG tag of 0 stands for one never used.

    Raises DiffersError for a node that is there and differs, and NoSuchNameError for a target.
    """
    if not node.tpg_tag:
        there = lunmap.nodes.get(name)
        node = replace(node, tpg_tag=there.tpg_tag if there else free.tag(lunmap))
    lunmap = add_object(lunmap, "nodes", name, node, "node set")
    for word in targets:
        iqn = find_target(lunmap, word)
        target = lunmap.targets[iqn]
        if name not in target.nodes:
            nodes = {**target.nodes, name: PortalGroup()}
            lunmap = with_object(lunmap, "targets", iqn, replace(target, nodes=nodes))
    return lunmap


def set_node_state(lunmap: Lunmap, word: str, state: NodeState) -> Lunmap:
    """Return the map with a node in this state. Raises NoSuchNameError."""
    name = find_node(lunmap, word)
    return with_object(lunmap, "nodes", name, replace(lunmap.nodes[name], state=state))


def remove_node(lunmap: Lunmap, name: str) -> Lunmap:
    """Return the map without a node, in targets and Luns too. Raises StillUsedError for its own Luns."""
    return without_object(end_service(lunmap, name), "nodes", name) if name in lunmap.nodes else lunmap


def end_service(lunmap: Lunmap, name: str) -> Lunmap:
    """Return the map in which no target and no Lun names a node.

    Raises StillUsedError for its own Luns and floating groups. They are those whose `nodes` have no other
    one; without it any node of a Lun's targets would report the Lun.
    """
    own = [lun for lun, each in lunmap.luns.items() if each.nodes == (name,)]
    if own:
        raise StillUsedError(
            f"{name} alone reports {first_of(own, _MAX_NAMED)}: 'lunmapctl lun set {own[0]} nodes=NODE,...' "
            f"names others, 'lunmapctl lun delete {own[0]}' deletes it"
        )
    targets = {iqn: _without_server(iqn, target, name) for iqn, target in lunmap.targets.items()}
    luns = {lun: _without_node(each, name) for lun, each in lunmap.luns.items()}
    return replace(lunmap, targets=targets, luns=luns)


def _without_server(iqn: str, target: Target, name: str) -> Target:
    for group, each in target.floating.items():
        if each.nodes == (name,):
            raise StillUsedError(
                f"{name} alone may own floating group {group} of {iqn}: name another node in its 'nodes', or "
                "remove the group"
            )
    floating = {
        group: replace(each, nodes=tuple(node for node in each.nodes if node != name))
        for group, each in target.floating.items()
    }
    nodes = {node: group for node, group in target.nodes.items() if node != name}
    return replace(target, nodes=nodes, floating=floating)


def _without_node(lun: Lun, name: str) -> Lun:
    backing = lun.backing
    if not isinstance(backing, RamDisk) and name in backing.overrides:
        rest = {node: path for node, path in backing.overrides.items() if node != name}
        backing = replace(backing, overrides=rest)
    return replace(
        lun,
        backing=backing,
        nodes=tuple(node for node in lun.nodes if node != name),
        preferred=_preferred_without(lun, name),
    )


def _preferred_without(lun: Lun, name: str) -> str | tuple[str, ...]:
    """Return the preferred nodes of a Lun without one; a list of one node would be no list."""
    rest = tuple(node for node in preferred_nodes(lun) if node != name)
    return rest if len(rest) > 1 else "".join(rest)
