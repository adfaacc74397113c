"""The address where browsers find the page."""

import os
import socket
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from lunmapd.service.cli import OutputError

_LAST_PORT = 65535


class Listen(NamedTuple):
    """An IP address and a port, 0 for any free one."""

    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether no other machine reaches it."""
        return ip_address(self.address).is_loopback

    @property
    def family(self) -> socket.AddressFamily:
        """The address family of a socket for it."""
        return socket.AF_INET6 if isinstance(ip_address(self.address), IPv6Address) else socket.AF_INET


def parse_listen(text: str) -> Listen:
    """Parse an IP address and a port, such as 127.0.0.1:9811 or [::1]:9811. Raises ValueError."""
    address, _, port = text.rpartition(":")
    address = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        ip_address(address)
    except ValueError:
        raise ValueError(f"{text!r} is not ADDRESS:PORT, such as 127.0.0.1:9811") from None
    is_number = port.isascii() and port.isdecimal() and len(port) <= len(str(_LAST_PORT))
    if not is_number or int(port) > _LAST_PORT:
        raise ValueError(f"{text!r} has no port from 0 to {_LAST_PORT}")
    return Listen(address, int(port))


def open_socket(listen: Listen) -> socket.socket:
    """Return a listening socket. Raises OutputError if the address is in use, or of no interface."""
    try:
        return socket.create_server((listen.address, listen.port), family=listen.family)
    except OSError as error:
        where = f"{listen.address} port {listen.port}"
        # Python adds the address to the text of the error.
        reason = os.strerror(error.errno or 0)
        raise OutputError(f"can't listen on {where}: {reason}; choose another with --listen") from error


def url_of(opened: socket.socket) -> str:
    """Return the URL of a listening socket."""
    address, port = opened.getsockname()[:2]
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"
