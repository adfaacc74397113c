"""The links and addresses of the kernel, through pyroute2: the only module that imports it."""

import errno
import ipaddress
from collections.abc import Mapping
from typing import Any

from pyroute2.iproute import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from lunmapd.service.lease.interfaces import KernelAddress, Network, NetworkLink

# linux/if_addr.h
_IFA_F_SECONDARY = 0x01
_IFA_F_NODAD = 0x02
_IFA_F_NOPREFIXROUTE = 0x200
_FOREVER = 0xFFFFFFFF
# linux/if.h: IFF_UP, IFF_LOOPBACK, IFF_RUNNING, IFF_NOARP
_UP, _LOOPBACK, _RUNNING, _NOARP = 0x1, 0x8, 0x40, 0x80


class Netlink:
    """A netlink socket; for one thread. Every method raises OSError."""

    def __init__(self) -> None:
        """Open the socket."""
        self._socket = IPRoute()

    def read(self) -> Network:
        """Return the links and addresses that the kernel has now."""
        try:
            links = tuple(_link(each) for each in self._socket.get_links())
            return Network(links, tuple(_address(each) for each in self._socket.get_addr()))
        except NetlinkError as error:
            raise OSError(error.code, str(error)) from None

    def put(self, link: NetworkLink, address: str, lifetime: int) -> None:
        """Give an address to a link for `lifetime` seconds from now, or extend it to that.

        It gets the prefix of a single host. With that of its network it would be a secondary address of the
        node's own one, or the other way round, and the kernel would remove both together (__inet_del_ifa in
        net/ipv4/devinet.c). It is deprecated at once, so that it is not the source of the node's own
        connections. The kernel asks for no duplicates: that was done before.
        """
        # Releases before 0.8 read `cacheinfo`, later ones the other two. Each takes what it does not find
        # for "forever", so the caller reads the lifetime back.
        times = {"valid": lifetime, "preferred": 0}
        flags = _IFA_F_NODAD | _IFA_F_NOPREFIXROUTE
        rest = {**times, "cacheinfo": times, "ifa_flags": flags}
        self._call("replace", link.index, address, ipaddress.ip_address(address).max_prefixlen, rest)

    def remove(self, address: KernelAddress) -> None:
        """Remove an address; one that has gone is no error."""
        try:
            self._call("del", address.index, address.text, address.interface.network.prefixlen, {})
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.ENODEV}:
                raise

    def _call(self, command: str, index: int, address: str, prefix: int, rest: Mapping[str, object]) -> None:
        try:
            self._socket.addr(command, index=index, address=address, prefixlen=prefix, **rest)
        except NetlinkError as error:
            raise OSError(error.code, f"{command} {address}: {error}") from None


def _link(message: Any) -> NetworkLink:
    flags = message["flags"]
    return NetworkLink(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        kind=message["ifi_type"],
        hardware=_octets(message.get_attr("IFLA_ADDRESS")),
        broadcast=_octets(message.get_attr("IFLA_BROADCAST")),
        running=flags & (_UP | _RUNNING) == _UP | _RUNNING,
        arp=not flags & (_LOOPBACK | _NOARP),
    )


def _octets(text: str | None) -> bytes:
    return bytes.fromhex((text or "").replace(":", ""))


def _address(message: Any) -> KernelAddress:
    # IFA_ADDRESS of a point-to-point link is the other end; IPv6 has IFA_LOCAL only there.
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    times = message.get_attr("IFA_CACHEINFO") or {}
    valid = times.get("ifa_valid", _FOREVER)
    return KernelAddress(
        message["index"],
        ipaddress.ip_interface(f"{text}/{message['prefixlen']}"),
        None if valid == _FOREVER else valid,
        bool(message["flags"] & _IFA_F_SECONDARY),
    )
