"""Packets of ARP and of neighbour discovery, byte by byte as the RFCs have them."""

import pytest

from fakes.network import ETH0
from lunmapd.service.lease import frames


def test_a_probe_has_no_sender_address() -> None:
    """An ARP probe asks for the address with 0.0.0.0 as its sender (RFC 5227, 2.1.1)."""
    protocol, data, to = frames.arp_probe(ETH0, "10.0.0.50")
    assert (protocol, to) == (0x0806, b"\xff" * 6)
    assert data.hex() == "0001080006040001" + "020000000001" + "00000000" + "000000000000" + "0a000032"


def test_an_announcement_is_a_request_and_a_reply() -> None:
    """Both name the address as sender and as target, so each host replaces what it knows."""
    (_, request, to), (_, reply, _) = frames.arp_announcements(ETH0, "10.0.0.50")
    assert to == b"\xff" * 6
    assert request.hex() == "0001080006040001" + "020000000001" + "0a000032" + "000000000000" + "0a000032"
    assert reply.hex() == "0001080006040002" + "020000000001" + "0a000032" + "ffffffffffff" + "0a000032"


def test_the_sender_of_an_arp_packet_is_read() -> None:
    """Requests and replies have it; a short packet, and one of another protocol, has none."""
    _, packet, _ = frames.arp_announcements(ETH0, "10.0.0.50")[1]
    assert frames.arp_sender(packet + bytes(18)) == ("10.0.0.50", ETH0.hardware)
    assert frames.arp_sender(packet[:17]) is None
    assert frames.arp_sender(packet[:7]) is None
    assert frames.arp_sender(packet[:2] + b"\x86\xdd" + packet[4:]) is None


def test_a_solicitation_goes_to_the_group_of_the_address() -> None:
    """Its source is ::, its hop limit 255, its destination the solicited-node group (RFC 4862, 5.4.2)."""
    protocol, data, to = frames.solicitation("2001:db8::1:50")
    assert (protocol, to.hex()) == (0x86DD, "3333ff010050")
    assert data[:8].hex() == "60000000" + "0018" + "3a" + "ff"
    assert data[8:24] == bytes(16)
    assert data[24:40].hex() == "ff0200000000000000000001ff010050"
    assert data[40:42].hex() == "8700"
    assert data[48:].hex() == "20010db8000000000000000000010050"
    assert _sum(data) == 0xFFFF


def test_an_advertisement_overrides_what_neighbours_know() -> None:
    """It goes to all nodes with the override flag and the hardware address (RFC 4861, 4.4 and 7.2.6)."""
    protocol, data, to = frames.advertisement(ETH0, "2001:db8::50")
    assert (protocol, to.hex()) == (0x86DD, "333300000001")
    assert data[24:40].hex() == "ff020000000000000000000000000001"
    assert (data[40], data[44:48].hex(), data[64:].hex()) == (136, "20000000", "0201020000000001")
    assert _sum(data) == 0xFFFF
    assert frames.advertised(data) == "2001:db8::50"


@pytest.mark.parametrize("place", [6, 7, 40])
def test_another_packet_advertises_nothing(place: int) -> None:
    """Another protocol, a hop limit below 255, which a router lowered, and another message are ignored."""
    _, data, _ = frames.advertisement(ETH0, "2001:db8::50")
    assert frames.advertised(data[:place] + bytes([data[place] - 1]) + data[place + 1 :]) is None
    assert frames.advertised(data[:63]) is None


def _sum(packet: bytes) -> int:
    """Return the ones' complement sum of an ICMPv6 message with its pseudo-header: 0xffff if it is right."""
    data = packet[8:40] + len(packet[40:]).to_bytes(4, "big") + b"\0\0\0\x3a" + packet[40:]
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    return total % 0xFFFF or 0xFFFF
