"""A program that lets a socket for block devices overflow twice.

It needs a network namespace where nobody else listens.
"""

import socket
import sys
import threading

from lunmapd.service.daemon import devices

_GROUPS = 0b11  # the kernel's and udevd's
_SIZE = 1 << 12
_NETLINK_KOBJECT_UEVENT = 15


def _flood() -> None:
    """Send more than the socket holds."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_KOBJECT_UEVENT) as sender:
        for _ in range(64):
            sender.sendto(bytes(_SIZE), (0, _GROUPS))


def _flooded(rung: threading.Event) -> bool:
    """Flood until the callback is called: the other thread may have taken everything in time."""
    rung.clear()
    for _ in range(100):
        _flood()
        if rung.wait(0.3):
            return True
    return False


def main() -> None:
    """Exit with 0 if the callback was called after each overflow."""
    monitor, over, rung = devices.listen(), threading.Event(), threading.Event()
    with devices.socket_of(monitor) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SIZE)
    thread = threading.Thread(target=devices.watch_devices, args=(monitor, lambda _: rung.set(), over))
    thread.start()
    twice = _flooded(rung) and _flooded(rung)
    over.set()
    thread.join()
    sys.exit(0 if twice else 1)


if __name__ == "__main__":
    main()
