"""Which interface gets an address, computed from the links and addresses of the node."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address

from msgspec import Struct

from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure

_IPV6 = 6


class NetworkLink(Struct, frozen=True):
    """An interface: `kind` is its ARPHRD number, `hardware` its address and `broadcast` that of all hosts.

    `running`: it is up and has a carrier. `arp`: hosts on it ask for hardware addresses; no tunnel does.
    """

    index: int
    name: str
    kind: int
    hardware: bytes
    broadcast: bytes
    running: bool = True
    arp: bool = True


class KernelAddress(Struct, frozen=True):
    """An address of an interface, with the rest of its lifetime in seconds, None for no end.

    `secondary`: another IPv4 address of the interface is in the same network, and was there before
    (IFA_F_SECONDARY, net/ipv4/devinet.c).
    """

    index: int
    interface: IPv4Interface | IPv6Interface
    valid: int | None = None
    secondary: bool = False

    @property
    def text(self) -> str:
        """The address, as Python's ipaddress spells it."""
        return str(self.interface.ip)


class Network(Struct, frozen=True):
    """The links of a node and its addresses, as the kernel has them at one moment."""

    links: tuple[NetworkLink, ...]
    addresses: tuple[KernelAddress, ...]

    def of(self, texts: Iterable[str]) -> list[KernelAddress]:
        """Return those of the addresses that the kernel has, on any interface, but none that is `own`."""
        wanted = frozenset(texts)
        return [each for each in self.addresses if each.text in wanted and not self.is_own(each)]

    def is_own(self, address: KernelAddress) -> bool:
        """Return whether the node itself is in the network by this address, which must not be removed.

        It has no end and the prefix of a network, of which the interface has no address but this one. Of
        several IPv4 addresses it is the first: the kernel removes the others with it.
        """
        if address.valid is not None or address.interface.network.num_addresses == 1:
            return False
        return not address.secondary and not (address.interface.version == _IPV6 and self._others(address))

    def _others(self, address: KernelAddress) -> list[KernelAddress]:
        alike = (address.index, address.interface.network)
        return [
            each
            for each in self.addresses
            if (each.index, each.interface.network) == alike and each != address and each.valid is None
        ]


def place(group: GroupAddresses, network: Network) -> Mapping[str, NetworkLink] | Failure:
    """Return the link for each address of a group, or why one has none.

    It is the named one, else the one with an address whose network has the address: if there are several, one
    that runs, and of equals the oldest. The address of a single host is in no network. An address that is the
    node's own has none.
    """
    for each in network.addresses:
        if each.text in group.addresses and network.is_own(each):
            return Failure(Reason.NO_INTERFACE, _own(each.text))
    placed: dict[str, NetworkLink] = {}
    for address in group.addresses:
        candidates = _candidates(address, group.interface, network)
        if not candidates:
            return Failure(Reason.NO_INTERFACE, _missing(address, group.interface))
        placed[address] = min(candidates, key=lambda link: (not link.running, link.index))
    return placed


def link_problem(placed: Mapping[str, NetworkLink]) -> Failure | None:
    """Return that the link of an address does not run; None if all do."""
    for address, link in placed.items():
        if not link.running:
            return Failure(
                Reason.NO_LINK, f"interface {link.name}, which is for {address}, is down or has no link"
            )
    return None


def _candidates(address: str, name: str, network: Network) -> list[NetworkLink]:
    if name:
        return [link for link in network.links if link.name == name]
    return _links_in_network_of(address, network)


def _links_in_network_of(address: str, network: Network) -> list[NetworkLink]:
    ip = ip_address(address)
    indexes = {
        each.index
        for each in network.addresses
        if each.interface.network.num_addresses > 1 and ip in each.interface.network
    }
    return [link for link in network.links if link.index in indexes]


def _own(address: str) -> str:
    return f"{address} is this node's own address, which can't move: give the floating group another one"


def _missing(address: str, name: str) -> str:
    if name:
        return f"this node has no interface {name}, which the map names for {address}"
    return f"no interface of this node has an address in the network of {address}: name one in the map"
