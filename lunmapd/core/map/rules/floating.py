"""Rules of floating portal groups: their nodes, addresses, numbers and times."""

import ipaddress
import re
from collections.abc import Iterator

from lunmapd.core.base import names
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap, Scope, Takeover, reporting_nodes
from lunmapd.core.map.rules.common import check_repeated, check_text, no_such
from lunmapd.core.placement.alua_states import closed_nodes
from lunmapd.core.placement.leased_groups import floating_groups

MAX_FAILBACK = 86_400
MAX_GRACE = 600

_INTERFACE = re.compile(r"[!-.0-9;-~]{1,15}")
"""What the kernel accepts (dev_valid_name in net/core/dev.c): no space, `/` or `:`, less than IFNAMSIZ."""

_RESERVED_INTERFACES = frozenset({".", ".."})


def check_floating_groups(lunmap: Lunmap) -> Iterator[Problem]:
    """Check every floating portal group, and that no address of one is used elsewhere."""
    for iqn, name, group in floating_groups(lunmap):
        place: Place = ("targets", iqn, "floating", name)
        yield from check_text(place, names.check_name, name)
        yield from _nodes(lunmap, (*place, "nodes"), group)
        yield from _portals((*place, "portals"), group)
        yield from _numbers(place, group)
        yield from _interface((*place, "interface"), group.interface)
    yield from _addresses(lunmap)


def check_moved_addresses(before: Lunmap, after: Lunmap) -> Iterator[Problem]:
    """Check that no address goes from one group to another.

    A lease is that of a group: the owner of the former group has the address until its pass is over, and the
    owner of the other one would not wait for it.
    """
    if before.targets is after.targets:
        return
    former = {
        _address(portal): GroupId(iqn, name)
        for iqn, name, group in floating_groups(before)
        for portal in group.portals
        if _check_portal(portal) is None
    }
    for iqn, name, group in floating_groups(after):
        for index, portal in enumerate(group.portals):
            if _check_portal(portal) is None:
                had = former.get(_address(portal), GroupId(iqn, name))
                if had != GroupId(iqn, name):
                    yield Problem(("targets", iqn, "floating", name, "portals", index), _moved(portal, had))


def _moved(portal: str, former: GroupId) -> str:
    return (
        f"{_address(portal)} is still the address of floating group {former.name} of {former.target}, whose "
        "owner may have it: commit the map without this portal first, wait until all nodes have applied it, "
        "then add the portal"
    )


def warn_of_floating_groups(lunmap: Lunmap) -> Iterator[Problem]:
    """Warn of groups that can't move, and of nodes that Luns keep from owning one."""
    for iqn, name, group in floating_groups(lunmap):
        place: Place = ("targets", iqn, "floating", name, "nodes")
        if len(group.nodes) == 1:
            yield Problem(place, f"{group.nodes[0]!r} is the only node: the group has nowhere to move")
        yield from _excluded_nodes(lunmap, place, iqn, group)
        yield from _reservations(lunmap, place, iqn, group)


def _excluded_nodes(lunmap: Lunmap, place: Place, iqn: str, group: FloatingGroup) -> Iterator[Problem]:
    """Report the nodes that can't own a group, since a Lun of its target accepts no I/O there by the map."""
    luns = [
        (name, reporting_nodes(lunmap, lun), closed_nodes(lunmap, lun))
        for name, lun in lunmap.luns.items()
        if any(entry.target == iqn for entry in lun.maps)
    ]
    for node in group.nodes:
        absent = [name for name, reporting, _ in luns if node not in reporting]
        closed = [name for name, _, nodes in luns if node in nodes]
        if absent or closed:
            name, why = (absent[0], "is not served") if absent else (closed[0], "accepts no I/O")
            more = len(absent) + len(closed) - 1
            others = f", as {more} more" if more else ""
            yield Problem(place, f"{node!r} can't own the group: luns[{name}] {why} there by the map{others}")


def _reservations(lunmap: Lunmap, place: Place, iqn: str, group: FloatingGroup) -> Iterator[Problem]:
    """Report the Luns behind a group that moves whose reservations LIO keeps in the owner."""
    names = [
        name
        for name, lun in lunmap.luns.items()
        if lun.shared is not None and lun.shared.reservations is Scope.PER_NODE
        if any(entry.target == iqn for entry in lun.maps)
    ]
    if names and len(group.nodes) > 1:
        more = f", as do {len(names) - 1} more" if len(names) > 1 else ""
        yield Problem(
            place,
            f"luns[{names[0]}] offers reservations{more}: hosts lose them at a move without notice, and "
            "those of an earlier owner return with it",
        )


def _nodes(lunmap: Lunmap, place: Place, group: FloatingGroup) -> Iterator[Problem]:
    if not group.nodes:
        yield Problem(place, "name the nodes that may serve the group, the preferred one first")
    yield from check_repeated(place, "node", group.nodes)
    for index, name in enumerate(group.nodes):
        if name not in lunmap.nodes:
            yield Problem((*place, index), no_such("node", name, lunmap.nodes))


def _portals(place: Place, group: FloatingGroup) -> Iterator[Problem]:
    if not group.portals:
        yield Problem(place, "give at least one portal, such as 10.0.0.50:3260")
    yield from check_repeated(place, "portal", group.portals)
    for index, portal in enumerate(group.portals):
        if sentence := _check_portal(portal):
            yield Problem((*place, index), sentence)


def _check_portal(text: str) -> str | None:
    try:
        normal = names.parse_portal(text)
    except ValueError as error:
        return str(error)
    if text != normal:
        return f"{text!r} must be spelled {normal!r}"
    address = _address(text)
    if address.is_unspecified or address.is_loopback or address.is_link_local:
        return f"{address} is no address that can move from node to node: give one of the hosts' network"
    return None


def _numbers(place: Place, group: FloatingGroup) -> Iterator[Problem]:
    most = names.MAX_TAG
    if not 0 < group.tpg_tag <= most:
        yield Problem((*place, "tpg_tag"), f"{group.tpg_tag} is not a TPG tag: use 1 to {most}")
    if not 0 < group.port_id <= most:
        yield Problem((*place, "port_id"), f"{group.port_id} is not a port id: use 1 to {most}")
    yield from check_times(place, group)


def check_times(place: Place, group: FloatingGroup | Takeover) -> Iterator[Problem]:
    """Check the times of a group, or of the takeover groups of a target."""
    times = (("failback_after", group.failback_after, MAX_FAILBACK), ("grace", group.grace, MAX_GRACE))
    for field, seconds, limit in times:
        if not 0 <= seconds <= limit:
            yield Problem((*place, field), f"{seconds} is not a number of seconds: use 0 to {limit}")


def _interface(place: Place, name: str) -> Iterator[Problem]:
    if name and (name in _RESERVED_INTERFACES or not _INTERFACE.fullmatch(name)):
        sentence = "is not the name of an interface: use at most 15 letters without ' ', '/' and ':'"
        yield Problem(place, f"{name!r} {sentence}")


def _addresses(lunmap: Lunmap) -> Iterator[Problem]:
    """Report each address that is a node's own, or another group's: an address moves as a whole."""
    groups = tuple(floating_groups(lunmap))
    users = dict(_fixed_addresses(lunmap)) if groups else {}
    for iqn, name, group in groups:
        user = f"targets[{iqn}].floating.{name}"
        for index, portal in enumerate(group.portals):
            if _check_portal(portal) is not None:
                continue
            address = _address(portal)
            other = users.setdefault(address, user)
            if other != user:
                place: Place = ("targets", iqn, "floating", name, "portals", index)
                yield Problem(place, f"the address {address} is already that of {other}")


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _fixed_addresses(lunmap: Lunmap) -> Iterator[tuple[_Address, str]]:
    for name, node in lunmap.nodes.items():
        for portal in (*node.portals, *node.iser_portals):
            try:
                normal = names.parse_portal(portal)
            except ValueError:
                # Reported by the rules of nodes.
                continue
            yield _address(normal), f"nodes[{name}]"


def _address(portal: str) -> _Address:
    """Return the address of a portal in the spelling of `parse_portal`."""
    return ipaddress.ip_address(portal.rpartition(":")[0].strip("[]"))
