"""Packets of duplicate address detection and announcements: ARP, neighbour solicitation, advertisement.

Sources: RFC 826 and RFC 5227 (ARP), RFC 4861 sections 4.3 and 4.4 (the messages) and 7.2.6 (unsolicited
advertisements), RFC 4862 section 5.4 (the solicitation of a node that has no address yet). A packet is what
follows the link's own header, which the kernel makes.
"""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from lunmapd.service.lease.interfaces import NetworkLink

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD
ARPHRD_ETHER = 1

_ETH_P_IP = 0x0800
_REQUEST, _REPLY = 1, 2
_ARP_HEADER = struct.Struct("!HHBBH")
_IPV6_HEADER = struct.Struct("!IHBB16s16s")
_SOLICITATION, ADVERTISEMENT = 135, 136
_OVERRIDE = 0x20000000
_TARGET_LINK_ADDRESS = 2
_ALL_NODES = IPv6Address("ff02::1")
_NO_ADDRESS = IPv6Address("::")
_HOP_LIMIT = 255

TYPE_OFFSET = _IPV6_HEADER.size
"""Where the type of an ICMPv6 message is, if no extension header precedes it."""

NEXT_HEADER_OFFSET = 6
ICMPV6 = 58

Packet = tuple[int, bytes, bytes]
"""The protocol of a packet, the packet, and the hardware address that it goes to."""


def arp_probe(link: NetworkLink, address: str) -> Packet:
    """Return the probe of RFC 5227: a request without a sender address, so no neighbour's cache changes."""
    none = bytes(len(link.hardware))
    return ETH_P_ARP, _arp(link, _REQUEST, bytes(4), none, IPv4Address(address).packed), link.broadcast


def arp_announcements(link: NetworkLink, address: str) -> Sequence[Packet]:
    """Return an announcement as a request and as a reply: some hosts only take one of them."""
    own = IPv4Address(address).packed
    request = _arp(link, _REQUEST, own, bytes(len(link.hardware)), own)
    reply = _arp(link, _REPLY, own, link.broadcast, own)
    return (ETH_P_ARP, request, link.broadcast), (ETH_P_ARP, reply, link.broadcast)


def arp_sender(packet: bytes) -> tuple[str, bytes] | None:
    """Return the IPv4 address and the hardware address of an ARP packet's sender; None of another packet."""
    if len(packet) < _ARP_HEADER.size:
        return None
    _, protocol, hardware, length, _ = _ARP_HEADER.unpack_from(packet)
    end = _ARP_HEADER.size + hardware + length
    if (protocol, length) != (_ETH_P_IP, 4) or len(packet) < end:
        return None
    return str(IPv4Address(packet[end - length : end])), packet[_ARP_HEADER.size : end - length]


def solicitation(address: str) -> Packet:
    """Return the solicitation of duplicate address detection, for Ethernet."""
    target = IPv6Address(address)
    group = b"\xff\x02" + bytes(9) + b"\x01\xff" + target.packed[-3:]
    body = struct.pack("!BBHI16s", _SOLICITATION, 0, 0, 0, target.packed)
    return ETH_P_IPV6, _ipv6(_NO_ADDRESS.packed, group, body), _ethernet_group(group)


def advertisement(link: NetworkLink, address: str) -> Packet:
    """Return an unsolicited advertisement that replaces what the neighbours know, for Ethernet."""
    own = IPv6Address(address).packed
    body = struct.pack("!BBHI16s", ADVERTISEMENT, 0, 0, _OVERRIDE, own)
    body += struct.pack("!BB", _TARGET_LINK_ADDRESS, 1) + link.hardware
    return ETH_P_IPV6, _ipv6(own, _ALL_NODES.packed, body), _ethernet_group(_ALL_NODES.packed)


def advertised(packet: bytes) -> str | None:
    """Return the address that an IPv6 packet advertises as its sender's; None of another packet."""
    target = TYPE_OFFSET + 8
    if len(packet) < target + 16 or packet[NEXT_HEADER_OFFSET] != ICMPV6:
        return None
    if packet[TYPE_OFFSET] != ADVERTISEMENT or packet[7] != _HOP_LIMIT:
        return None
    return str(IPv6Address(packet[target : target + 16]))


def _arp(link: NetworkLink, operation: int, sender: bytes, target_hardware: bytes, target: bytes) -> bytes:
    header = _ARP_HEADER.pack(link.kind, _ETH_P_IP, len(link.hardware), 4, operation)
    return header + link.hardware + sender + target_hardware + target


def _ipv6(source: bytes, destination: bytes, body: bytes) -> bytes:
    pseudo = source + destination + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    return _IPV6_HEADER.pack(6 << 28, len(body), ICMPV6, _HOP_LIMIT, source, destination) + body


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ethernet_group(group: bytes) -> bytes:
    """Return the hardware address of an IPv6 group (RFC 2464, section 7)."""
    return b"\x33\x33" + group[-4:]
