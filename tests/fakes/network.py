"""Links and addresses that a kernel could have, without lifetimes that end."""

import errno
from collections.abc import Sequence
from ipaddress import ip_interface

from lunmapd.service.lease.interfaces import KernelAddress, Network, NetworkLink

ETH0 = NetworkLink(2, "eth0", 1, bytes.fromhex("020000000001"), b"\xff" * 6)
OWN = (KernelAddress(2, ip_interface("10.0.0.1/24")), KernelAddress(2, ip_interface("2001:db8::1/64")))


class FakeNetwork:
    """A kernel's links and addresses. `refuses` is the number of the error of each change, 0 for none."""

    def __init__(
        self, links: Sequence[NetworkLink] = (ETH0,), addresses: Sequence[KernelAddress] = OWN
    ) -> None:
        self.links = tuple(links)
        self.addresses = list(addresses)
        self.refuses = 0

    def read(self) -> Network:
        """Return the links and addresses."""
        return Network(self.links, tuple(self.addresses))

    def put(self, link: NetworkLink, address: str, lifetime: int) -> None:
        """Add an address of a single host, or extend it."""
        self._check()
        fresh = KernelAddress(link.index, ip_interface(address), lifetime)
        self.addresses = [each for each in self.addresses if each.interface != fresh.interface] + [fresh]

    def remove(self, address: KernelAddress) -> None:
        """Remove an address."""
        self._check()
        self.addresses.remove(address)

    def texts(self) -> set[str]:
        """Return all addresses."""
        return {each.text for each in self.addresses}

    def _check(self) -> None:
        if self.refuses:
            raise OSError(self.refuses, errno.errorcode[self.refuses])
