"""From the map to the desired objects of one target on one node: its TPGs, own and remote ones."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from lunmapd.core.base.attributes import PARAMETERS, TPG
from lunmapd.core.base.lunmap import (
    Authentication,
    FloatingGroup,
    Lunmap,
    Node,
    NodeState,
    PortalGroup,
    Target,
    nodes_of,
    portals_of,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID, TPG_ATTRIBUTES, TPG_PARAMETERS
from lunmapd.core.placement.leased_groups import groups_on


class ServedTarget(NamedTuple):
    """The tags of a target's TPGs on a node: of those that it serves itself, and of its remote TPGs."""

    own: tuple[int, ...]
    remote: tuple[int, ...]


def served_targets(lunmap: Lunmap, node: str, foreign: AbstractSet[str]) -> dict[str, ServedTarget]:
    """Return the targets that `node` serves, each with the tags of its TPGs there."""
    return {
        iqn: ServedTarget(
            own_tags(lunmap, target, node),
            (
                *(lunmap.nodes[other].tpg_tag for other in _other_active_nodes(lunmap, target, node)),
                *(group.tpg_tag for group in _other_groups(target, node)),
            ),
        )
        for iqn, target in lunmap.targets.items()
        if node in nodes_of(target) and iqn not in foreign
    }


def own_tags(lunmap: Lunmap, target: Target, node: str) -> tuple[int, ...]:
    """Return the tags of the TPGs through which a node of the map can serve a target: they have LUNs."""
    fixed = (lunmap.nodes[node].tpg_tag,) if node in target.nodes else ()
    return (*fixed, *(group.tpg_tag for group in groups_on(target, node).values()))


def _other_groups(target: Target, node: str) -> Iterator[FloatingGroup]:
    """Yield the floating groups of a target that other nodes alone may own."""
    return (group for group in target.floating.values() if node not in group.nodes)


def _other_active_nodes(lunmap: Lunmap, target: Target, node: str) -> Iterator[str]:
    for other in target.nodes:
        if other != node and other in lunmap.nodes and lunmap.nodes[other].state is NodeState.ACTIVE:
            yield other


def project_remote(lunmap: Lunmap, iqn: str, name: str) -> Iterator[lio_objects.DesiredObject]:
    """Yield the remote TPGs of a target, so that discovery on this node lists the portals of all nodes.

    No initiator can log in to them: they are never enabled and have no LUNs. `project_lun` gives them ACLs
    for the initiators that may discover the target.
    """
    target = lunmap.targets[iqn]
    others = [
        (node.tpg_tag, portals_of(node, target.nodes[other]))
        for other in _other_active_nodes(lunmap, target, name)
        for node in (lunmap.nodes[other],)
    ]
    others += [(group.tpg_tag, group.portals) for group in _other_groups(target, name)]
    for tag, portals in others:
        yield lio_objects.Tpg(iqn, tag, _always_listed(target), TPG_PARAMETERS)
        for portal in portals:
            # Discovery lists the address only; RDMA is enabled on the node that has the address.
            yield lio_objects.Portal(iqn, tag, portal)


def _always_listed(target: Target) -> lio_objects.AttributeValues:
    """Return the attributes of a TPG whose portals discovery lists while it is disabled, too."""
    return tuple(
        (attribute, "0" if attribute == "tpg_enabled_sendtargets" else value)
        for attribute, value in tpg_attributes(target)
    )


def is_always_listed(item: lio_objects.Tpg) -> bool:
    """Return whether a TPG is a remote TPG, or one of a floating group: no map alone enables either."""
    return ("tpg_enabled_sendtargets", "0") in item.attributes


def project_target(
    iqn: str, target: Target, name: str, node: Node, features: AbstractSet[str]
) -> Iterator[lio_objects.DesiredObject]:
    """Yield a target that the node `name` serves, its own TPGs and those of floating groups."""
    yield lio_objects.Target(iqn)
    if name in target.nodes:
        yield from _own_tpg(iqn, target, target.nodes[name], node, features)
    for floating in groups_on(target, name).values():
        yield lio_objects.Tpg(iqn, floating.tpg_tag, _always_listed(target), tpg_parameters(target))
        for portal in floating.portals:
            yield lio_objects.Portal(iqn, floating.tpg_tag, portal)
    yield from enabled_groups(iqn, target, name, features)


def enabled_groups(
    iqn: str, target: Target, node: str, features: AbstractSet[str]
) -> Iterator[lio_objects.Enabled]:
    """Yield the enablement of the TPGs of a target's floating groups that a node may own."""
    for group in groups_on(target, node).values():
        yield lio_objects.Enabled(iqn, group.tpg_tag, group.port_id if PORT_ID in features else 0)


def _own_tpg(
    iqn: str, target: Target, group: PortalGroup, node: Node, features: AbstractSet[str]
) -> Iterator[lio_objects.DesiredObject]:
    tag = node.tpg_tag
    yield lio_objects.Tpg(iqn, tag, tpg_attributes(target), tpg_parameters(target))
    for portal in portals_of(node, group):
        yield lio_objects.Portal(iqn, tag, portal, portal in node.iser_portals)
    if node.state is NodeState.ACTIVE:
        yield lio_objects.Enabled(iqn, tag, group.port_id if PORT_ID in features else 0)


def tpg_attributes(target: Target) -> lio_objects.AttributeValues:
    """Return the desired attributes of a target's TPGs."""
    asks = "0" if target.authentication is Authentication.NONE else "1"
    governed = ((name, asks if name == "authentication" else value) for name, value in TPG_ATTRIBUTES)
    given = sorted((name, value) for name, value in target.attributes.items() if value != TPG[name].default)
    return (*governed, *((name, str(value)) for name, value in given))


def tpg_parameters(target: Target) -> lio_objects.AttributeValues:
    """Return the desired parameters of a target's TPGs."""
    given = sorted(target.parameters.items())
    return (*TPG_PARAMETERS, *((name, text) for name, text in given if text != PARAMETERS[name].default))
