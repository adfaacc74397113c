"""The portals through which a node serves, and the problems that keep hosts from logging in through one.

LIO listens on an address that the node does not have (IP_FREEBIND), and it does not look at links. So each
portal is checked from outside LIO; see service/daemon/portal_watch.py.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.lunmap import Lunmap, Target, portals_of
from lunmapd.core.base.names import is_every_address
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.placement.leased_groups import groups_on

PortalProblems = Mapping[str, Failure]
"""Portal, as `10.0.0.1:3260`, to the problem that was found with it."""


class Interface(Struct, frozen=True):
    """A network interface. `running`: it is up and has a link (IFF_RUNNING)."""

    name: str
    running: bool


def serving_portals(observed: lio_objects.Objects) -> frozenset[str]:
    """Return the portals of this node through which initiators can log in, judged by LIO alone.

    Those of disabled TPGs are left out, and so those of remote TPGs. The map does not matter: while its
    removals are held, initiators use portals that it no longer has.
    """
    return frozenset(
        item.address
        for item in observed.values()
        if isinstance(item, lio_objects.Portal) and ("enabled", item.iqn, item.tag) in observed
    )


def portals_by_tag(lunmap: Lunmap, target: Target, node: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the TPGs through which a node can serve a target: tag and portals.

    Its own TPG comes first; those of floating groups are enabled at their owner alone.
    """
    itself = lunmap.nodes.get(node)
    if itself is not None and node in target.nodes:
        yield itself.tpg_tag, portals_of(itself, target.nodes[node])
    for group in groups_on(target, node).values():
        yield group.tpg_tag, group.portals


def portal_failures(problems: PortalProblems, serving: AbstractSet[str]) -> dict[lio_objects.Key, Failure]:
    """Return the failures of the serving portals, once for all TPGs; the key is `("portal", portal)`."""
    return {("portal", portal): problems[portal] for portal in sorted(problems.keys() & serving)}


def address_problem(portal: str, interfaces: Mapping[str, tuple[Interface, ...]]) -> Failure | None:
    """Return the problem of a portal's address, None if an interface with a link has it.

    `interfaces` maps each address of the node, as Python's ipaddress spells it, to the interfaces that have
    it; an address without an interface is local by a route alone.
    """
    address = host_of(portal)
    if is_every_address(portal):
        return None
    if address not in interfaces:
        return _missing(
            f"no interface of this node has {address}, so nobody can log in through {portal}: give an "
            "interface the address, or correct the portal in the map"
        )
    there = interfaces[address]
    if there and not any(interface.running for interface in there):
        return _missing(
            f"interface {there[0].name}, which has {address}, is down or has no link: check the interface, "
            "its cable and its switch"
        )
    return None


def host_of(portal: str) -> str:
    """Return the address of a portal without its port and brackets."""
    return str(ipaddress.ip_address(portal.rpartition(":")[0].strip("[]")))


def _missing(sentence: str) -> Failure:
    return Failure(Reason.PORTAL_ADDRESS_MISSING, sentence)
