"""Sending and receiving the packets of frames.py on a link: duplicate address detection and announcements.

The sockets are of the kind AF_PACKET with SOCK_DGRAM (packet(7)): the kernel makes the link's header, so VLAN
and bond interfaces need nothing of their own.
"""

import select
import socket
import struct
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from lunmapd.agent.floating.addresses import Duplicate
from lunmapd.service.lease import frames
from lunmapd.service.lease.interfaces import NetworkLink

PROBES = 3
PROBE_INTERVAL = 0.1
"""Seconds between two probes, and after the last one.

RFC 5227 has one to two seconds, for many hosts that boot at once. Here one node asks, and a host in the same
network answers within milliseconds.
"""

ANNOUNCEMENTS = (0.0, 0.2, 1.0)
"""Seconds from the taking of an address to each announcement: one alone may get lost."""

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_RECEIVE = 2048
_TO_US = {socket.PACKET_HOST, socket.PACKET_BROADCAST, socket.PACKET_MULTICAST}
"""Other packets are our own, or of a VLAN for which this machine has no interface."""

Placed = Mapping[str, NetworkLink]
"""The link of each address."""


def detect_duplicate(placed: Placed, own: frozenset[bytes]) -> Duplicate | None:
    """Ask who has the addresses; return the first answer of another machine.

    `own` are the hardware addresses of this machine. The probe of another machine is no answer: among
    the nodes of a group, ZooKeeper decides. Raises OSError.
    """
    asked = {address: link for address, link in placed.items() if _can_ask(address, link)}
    with ExitStack() as stack:
        sockets = {
            where: stack.enter_context(_open(*where)) for where in {_where(*item) for item in asked.items()}
        }
        for _ in range(PROBES):
            for address, link in asked.items():
                _send(sockets[_where(address, link)], link, _probe(address, link))
            found = _first_answer(list(sockets.values()), asked, own, time.monotonic() + PROBE_INTERVAL)
            if found is not None:
                return found
    return None


def announce(placed: Placed) -> None:
    """Inform the neighbours once of the hardware address of each address. Raises OSError."""
    for address, link in placed.items():
        if not _can_ask(address, link):
            continue
        with _open(*_where(address, link)) as sender:
            for packet in _announcements(address, link):
                _send(sender, link, packet)


def _can_ask(address: str, link: NetworkLink) -> bool:
    """Return whether the packets for an address are known: those of IPv6 are only for Ethernet."""
    return link.arp and (":" not in address or link.kind == frames.ARPHRD_ETHER)


Where = tuple[int, str]
"""The protocol and the link of a socket."""


def _where(address: str, link: NetworkLink) -> Where:
    return (frames.ETH_P_IPV6 if ":" in address else frames.ETH_P_ARP), link.name


def _open(protocol: int, name: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    try:
        if protocol == frames.ETH_P_IPV6:
            _only_advertisements(opened)
        opened.bind((name, protocol))
    except BaseException:
        opened.close()
        raise
    return opened


def _only_advertisements(opened: socket.socket) -> None:
    """Let the kernel drop all but advertisements: a storage node may receive a million packets a second.

    The filter is a program of classic BPF (linux/filter.h) with struct sock_filter of 8 bytes.
    """
    load, equal, result = 0x30, 0x15, 0x06  # BPF_LD|BPF_B|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
    lines = (
        (load, 0, 0, frames.NEXT_HEADER_OFFSET),
        (equal, 0, 3, frames.ICMPV6),
        (load, 0, 0, frames.TYPE_OFFSET),
        (equal, 0, 1, frames.ADVERTISEMENT),
        (result, 0, 0, 0xFFFF),
        (result, 0, 0, 0),
    )
    program = array("B", b"".join(struct.pack("HBBI", *line) for line in lines))
    address, _ = program.buffer_info()
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(lines), address))


def _send(sender: socket.socket, link: NetworkLink, packet: frames.Packet) -> None:
    protocol, data, hardware = packet
    sender.sendto(data, (link.name, protocol, 0, 0, hardware))


def _probe(address: str, link: NetworkLink) -> frames.Packet:
    return frames.solicitation(address) if ":" in address else frames.arp_probe(link, address)


def _announcements(address: str, link: NetworkLink) -> Sequence[frames.Packet]:
    if ":" in address:
        return (frames.advertisement(link, address),)
    return frames.arp_announcements(link, address)


def _first_answer(
    sockets: Sequence[socket.socket], asked: Placed, own: frozenset[bytes], until: float
) -> Duplicate | None:
    poll = select.poll()
    for each in sockets:
        poll.register(each, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        poll.poll(left * 1000)
        for address, hardware in _answers(sockets):
            if address in asked and hardware not in own:
                return Duplicate(address, hardware.hex(":"))
    return None


def _answers(sockets: Sequence[socket.socket]) -> Iterator[tuple[str, bytes]]:
    """Yield the address and the hardware address of each answer that has arrived."""
    for each in sockets:
        while (received := _receive(each)) is not None:
            packet, (_, protocol, kind, _, hardware) = received
            if kind not in _TO_US:
                continue
            if protocol == frames.ETH_P_IPV6:
                address = frames.advertised(packet)
                if address is not None:
                    yield address, hardware
            elif (sender := frames.arp_sender(packet)) is not None:
                yield sender


def _receive(opened: socket.socket) -> tuple[bytes, tuple[str, int, int, int, bytes]] | None:
    try:
        return opened.recvfrom(_RECEIVE)
    except BlockingIOError:
        return None
