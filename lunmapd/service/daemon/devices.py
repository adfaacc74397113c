"""Starts a cycle when block devices appear, change or go: a late one is exported before the next retry."""

import errno
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from pyudev import Context, Monitor

from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.service.daemon.background import running

_log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two checks whether to end
_QUIET = 0.2  # seconds without an event that end a burst of events
_MAX_BURST = 2.0  # seconds; a longer burst is reported before its end
_BUFFER = 1 << 20  # bytes of unread events; the kernel limits it to net.core.rmem_max
_UDEVD = "/run/udev/control"


NotifyDevices = Callable[[AbstractSet[str] | None], None]
"""Takes the numbers (`253:0`) of the devices that have changed, None if they are not known."""

_UNKNOWN = ""


@contextmanager
def watched_devices(notify: NotifyDevices) -> Iterator[None]:
    """Call `notify` for block devices as long as the context lasts.

    Without events the loop's timers find everything.
    """
    over = threading.Event()
    try:
        monitor = listen()
    except OSError as error:
        _unwatched(error)
        yield
        return
    with running(partial(watch_devices, monitor, notify, over), over.set, "devices"):
        yield


def listen() -> Monitor:
    """Return a monitor of udevd's events, sent once a device has its names; of the kernel's without udevd.

    Raises OSError.
    """
    monitor = Monitor.from_netlink(Context(), "udev" if os.path.exists(_UDEVD) else "kernel")  # noqa: PTH110
    monitor.filter_by("block")
    monitor.start()
    with socket_of(monitor) as events:
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return monitor


class DeviceMonitor(Protocol):
    """A source of device events, such as pyudev's Monitor."""

    def poll(self, timeout: float) -> object:
        """Wait at most that long for an event; return its device, None without an event."""

    def fileno(self) -> int:
        """Return the descriptor of the socket."""


def watch_devices(source: DeviceMonitor, notify: NotifyDevices, over: threading.Event) -> None:
    """Call `notify` after each burst of events, until `over` is set."""
    while not over.is_set():
        try:
            first = _next(source, _TICK)
            if first is not None:
                numbers = {first, *_rest(source)}
                notify(None if _UNKNOWN in numbers else numbers)
        except OSError as error:
            _unwatched(error)
            return


def _rest(source: DeviceMonitor) -> Iterator[str]:
    """Yield the numbers of the devices of a burst of events, such as those of a volume group."""
    until = time.monotonic() + _MAX_BURST
    while time.monotonic() < until and (number := _next(source, _QUIET)) is not None:
        yield number


def _next(source: DeviceMonitor, seconds: float) -> str | None:
    """Return the numbers of the device of the next event, None if none came in time.

    For events that the kernel dropped from a full buffer they are unknown.
    """
    try:
        device = source.poll(seconds)
    except OSError as error:
        if (error.errno or _pending(source)) != errno.ENOBUFS:
            raise
        return _UNKNOWN
    if device is None:
        return None
    number = getattr(device, "device_number", 0)
    return f"{os.major(number)}:{os.minor(number)}" if number else _UNKNOWN


def _pending(source: DeviceMonitor) -> int:
    """Return the errno of the socket, which pyudev omits for the errors that poll(2) reports."""
    with socket_of(source) as events:
        return events.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def socket_of(source: DeviceMonitor) -> socket.socket:
    """Return a socket object on a duplicate of the monitor's descriptor."""
    return socket.socket(fileno=os.dup(source.fileno()))


def _unwatched(error: OSError) -> None:
    _log.warning(
        "block devices are not watched: %s; late ones are found by the retries",
        error,
        extra=journal_fields(Message.UNWATCHED),
    )
