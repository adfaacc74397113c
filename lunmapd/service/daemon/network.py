"""The node's addresses and links, read through psutil, and the changes of them.

psutil asks the C library (getifaddrs(3), which uses rtnetlink) and the kernel for the interfaces' flags.
A netlink library would give the same for 12 MB of memory instead of 0.6 (docs/adr/0025-portals.md).
"""

import errno
import ipaddress
import os
import socket
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing

import psutil

from lunmapd.core.node.portals import Interface

# linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_GROUPS = 0x1 | 0x10 | 0x100
_DISCARD_PORT = 9  # no packet is sent
_KINDS = (socket.AF_INET, socket.AF_INET6)


def read_interfaces() -> dict[str, tuple[Interface, ...]]:
    """Return each address of the node with the interfaces that have it. Raises OSError."""
    running = {name: stats.isup for name, stats in psutil.net_if_stats().items()}
    there = defaultdict[str, list[Interface]](list)
    for name, addresses in psutil.net_if_addrs().items():
        for entry in addresses:
            if entry.family in _KINDS:
                there[_spelled(entry.address)].append(Interface(name, running.get(name, False)))
    return {address: tuple(interfaces) for address, interfaces in there.items()}


def add_routed(
    interfaces: Mapping[str, tuple[Interface, ...]], addresses: set[str]
) -> dict[str, tuple[Interface, ...]]:
    """Return the interfaces with those of `addresses` that no interface has and a route makes local."""
    routed = {address: () for address in addresses - interfaces.keys() if _is_local(address)}
    return {**interfaces, **routed}


def _spelled(address: str) -> str:
    return str(ipaddress.ip_address(address.partition("%")[0]))


def _is_local(address: str) -> bool:
    """Return whether the kernel delivers packets to the address to itself: it then is its own source.

    A socket can be bound to any address where net.ipv4.ip_nonlocal_bind is set, so that would prove nothing.
    """
    kind = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(kind, socket.SOCK_DGRAM)) as trial:
        try:
            trial.connect((address, _DISCARD_PORT))
        except OSError:
            return False
        return _spelled(str(trial.getsockname()[0])) == address


def listen_to_changes() -> socket.socket:
    """Return a socket that becomes readable when links or addresses change. Raises OSError."""
    changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    try:
        changes.bind((0, _GROUPS))
    except OSError:
        changes.close()
        raise
    return changes


def discard_changes(changes: socket.socket) -> None:
    """Discard what has arrived; the state is read afterwards, so lost messages do no harm (ENOBUFS)."""
    while True:
        try:
            os.read(changes.fileno(), 1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
