"""Wakes the loop when block devices come, change or go, so that a late one is exported at once and not at the next retry."""

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pyudev import Context, Monitor

from lunmapd.core.base.messages import Message, journal_fields

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two looks whether it is time to end
_QUIET = 0.2  # seconds without an event, after which what came together is told
_MOST = 2.0  # seconds of events, after which they are told though more are coming
_BUFFER = 1 << 20  # bytes of events that may wait to be taken; the kernel gives up to net.core.rmem_max
_UDEVD = "/run/udev/control"


@contextmanager
def watched(ring: Callable[[], None]) -> Iterator[None]:
    """Ring for block devices as long as the context lasts. Without events the loop's own timers find everything."""
    over = threading.Event()
    try:
        monitor = listen()
    except OSError as error:
        _unwatched(error)
        yield
        return
    thread = threading.Thread(target=watch, args=(monitor, ring, over), name="devices", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def listen() -> Monitor:
    """Listen to udevd, which tells of a device once its names are there; to the kernel where there is no udevd. Raises OSError."""
    monitor = Monitor.from_netlink(Context(), "udev" if os.path.exists(_UDEVD) else "kernel")  # noqa: PTH110
    monitor.filter_by("block")
    monitor.start()
    with socket_of(monitor) as found:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return monitor


class DeviceMonitor(Protocol):
    """What tells of devices, as pyudev's Monitor does."""

    def poll(self, timeout: float) -> object:
        """Return a device of which something is told in time, None if there is none."""

    def fileno(self) -> int:
        """Return the descriptor of the socket."""


def watch(source: DeviceMonitor, ring: Callable[[], None], over: threading.Event) -> None:
    """Ring for what comes, until it is `over`."""
    while not over.is_set():
        try:
            if _came(source, _TICK):
                _settle(source)
                ring()
        except OSError as error:
            _unwatched(error)
            return


def _settle(source: DeviceMonitor) -> None:
    """Let pass what comes in one go, such as the devices of a volume group."""
    until = time.monotonic() + _MOST
    while time.monotonic() < until and _came(source, _QUIET):
        pass


def _came(source: DeviceMonitor, seconds: float) -> bool:
    """Tell whether something came in time. What the kernel had to drop, since nobody took it soon enough, came too."""
    try:
        return source.poll(seconds) is not None
    except OSError as error:
        if (error.errno or _pending(source)) != errno.ENOBUFS:
            raise
        return True


def _pending(source: DeviceMonitor) -> int:
    """Take the number of a socket's error, which pyudev leaves out of those that poll(2) finds."""
    with socket_of(source) as found:
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def socket_of(source: DeviceMonitor) -> socket.socket:
    """Make a socket of its own, of the same kernel's socket."""
    return socket.socket(fileno=os.dup(source.fileno()))


def _unwatched(error: OSError) -> None:
    log.warning(
        "block devices are not watched: %s; late ones are found by the retries",
        error,
        extra=journal_fields(Message.UNWATCHED),
    )
