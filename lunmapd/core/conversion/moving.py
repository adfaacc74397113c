"""The addresses that a cluster moves, as floating groups. Pure.

An IPaddr2 is an address of the nodes of its cluster. The portals of a target that it serves become one
floating group of the target, since a cluster moves target and addresses together.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_address

from lunmapd.core.base import names
from lunmapd.core.base.lunmap import Failback, FloatingGroup, Node
from lunmapd.core.conversion.cluster_resources import ADDRESS_AGENTS, ClusterResource, ClusterResources
from lunmapd.core.conversion.conversion import Choices, Notes

EVERY_ADDRESS = "0.0.0.0:3260"
_ONE_NODE = frozenset({"drbd", "Filesystem", "LVM", "LVM-activate", "ZFS"})


def group_nodes(resources: ClusterResources, choices: Choices) -> tuple[str, ...]:
    """Return the nodes between which the addresses move; none if they are not known to be several."""
    nodes = choices.nodes or tuple(choices.portals) or resources.nodes
    return tuple(nodes) if len(nodes) > 1 else ()


def portals_of_target(target: ClusterResource) -> tuple[str, ...]:
    """Return the portals of a target."""
    return tuple(map(portal_of, target.words("portals") or (EVERY_ADDRESS,)))


def portal_of(text: str) -> str:
    """Return a portal as a map has it; unchanged if it is none, and the rules of the map refuse it."""
    try:
        return names.parse_portal(text)
    except ValueError:
        return text


def floating_groups_of(
    resources: ClusterResources, targets: Mapping[str, ClusterResource], nodes: tuple[str, ...], notes: Notes
) -> dict[str, dict[str, FloatingGroup]]:
    """Return the floating groups of each target, by its name and theirs. Their tags are 1, 2 and so on.

    So the first one keeps the tag of the agents, which is 1.
    """
    found: dict[str, dict[str, FloatingGroup]] = {}
    addresses = {_address(each): each for each in resources.of(*ADDRESS_AGENTS) if nodes and _address(each)}
    for iqn, target in targets.items():
        portals = tuple(_moving(target, addresses, alone=len(targets) == 1))
        if not portals:
            continue
        first = next(each for address, each in addresses.items() if address == _host(portals[0]))
        name = first.name if names.check_name(first.name) is None else "moving"
        interface = first.parameters.get("nic", "").partition(":")[0]
        tag = len(found) + 1
        found[iqn] = {name: FloatingGroup(tag, portals, nodes, failback=Failback.MANUAL, interface=interface)}
        _note(resources, target, iqn, found[iqn], notes)
    return found


def _address(resource: ClusterResource) -> str:
    """Return the address of an IPaddr2, "" if it is none."""
    try:
        return str(ip_address(resource.parameters.get("ip", "")))
    except ValueError:
        return ""


def _moving(target: ClusterResource, addresses: Collection[str], *, alone: bool) -> Iterator[str]:
    """Yield the portals of a target on moving addresses; one on all addresses has those of its cluster.

    With several targets on all addresses nobody can say whose they are.
    """
    for portal in portals_of_target(target):
        if _host(portal) in addresses:
            yield portal
        elif alone and names.is_every_address(portal):
            port = portal.rpartition(":")[2]
            yield from (
                names.parse_portal(f"[{each}]:{port}" if ":" in each else f"{each}:{port}")
                for each in addresses
            )


def _host(portal: str) -> str:
    """Return the address of a portal, "" if it has none."""
    try:
        return str(ip_address(portal.rpartition(":")[0].strip("[]")))
    except ValueError:
        return ""


def is_moving(portal: str, groups: Mapping[str, FloatingGroup]) -> bool:
    """Return whether a portal is one of the floating groups; one on all addresses is, if there is a group."""
    moves = any(portal in group.portals for group in groups.values())
    return moves or (bool(groups) and names.is_every_address(portal))


def _note(
    resources: ClusterResources,
    target: ClusterResource,
    iqn: str,
    groups: Mapping[str, FloatingGroup],
    notes: Notes,
) -> None:
    for name, group in groups.items():
        place = f"targets[{iqn}].floating[{name}]"
        notes.changed(
            target.place,
            f"{place}: it moves between {', '.join(group.nodes)}, in this order of preference, and not back "
            "by itself (failback: manual); give the order that you want",
        )
        notes.changed(target.place, f"{place}: reservations are refused, since LIO keeps them in one node")
        if group.tpg_tag > 1:
            notes.changed(
                target.place, f"{place}: its TPG has tag {group.tpg_tag}; the agents give each tag 1"
            )
        if any(each.agent in _ONE_NODE or each.instance for each in resources.primitives):
            notes.lost(
                target.place,
                f"{place}: a node owns it only while it can open the disks: give the Luns a hook that "
                "promotes, activates or mounts them there, or let the cluster go on with that",
            )


def note_address(
    resource: ClusterResource,
    groups: Mapping[str, Mapping[str, FloatingGroup]],
    nodes: Mapping[str, Node],
    notes: Notes,
) -> None:
    """Note what becomes of an IPaddr2."""
    address = _address(resource)
    for iqn, named in groups.items():
        for name, group in named.items():
            if _has(group.portals, address):
                notes.carried(resource.place, f"targets[{iqn}].floating[{name}]")
                return
    holders = [name for name, node in nodes.items() if _has((*node.portals, *node.iser_portals), address)]
    left = f"it is a portal of {holders[0]} alone" if holders else "it is not in the map"
    ip = resource.parameters.get("ip", "")
    notes.lost(resource.place, f"address {ip} moves between nodes, and no floating group has it: {left}")


def _has(portals: Iterable[str], address: str) -> bool:
    """Return whether a portal has an address; "" is none."""
    return bool(address) and any(
        _host(portal) == address or names.is_every_address(portal) for portal in portals
    )
