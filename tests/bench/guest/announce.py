"""Sends gratuitous ARP when a byte arrives in a FIFO: `announce.py FIFO ADDRESS INTERFACE`.

It runs all the time, as the start of Python would be a part of what is measured.
"""

import socket
import sys


def main(fifo: str, address: str, interface: str) -> None:
    """Send the request and the reply of an announcement (RFC 5227, section 3) for each byte."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0x0806))
        own, there, own_ip = sender.getsockname()[4], b"\xff" * 6, socket.inet_aton(address)
        head = there + own + bytes.fromhex("0806000108000604")
        tail = own + own_ip + there + own_ip
        packets = [head + operation.to_bytes(2, "big") + tail for operation in (1, 2)]
        while True:
            with open(fifo, "rb", buffering=0) as wishes:
                while wishes.read(1):
                    for packet in packets:
                        sender.send(packet)


if __name__ == "__main__":
    main(*sys.argv[1:])
