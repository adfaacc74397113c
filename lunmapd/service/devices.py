"""Wakes the loop when block devices come, change or go, so that a late one is exported at once and not at the next retry."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyudev import Context, Monitor

from lunmapd.core.messages import Message, fields

log = logging.getLogger(__name__)

_TICK = 1.0  # seconds between two looks whether it is time to end
_QUIET = 0.2  # seconds without an event, after which what came together is told
_MOST = 2.0  # seconds of events, after which they are told though more are coming
_UDEVD = "/run/udev/control"


@contextmanager
def watched(ring: Callable[[], None]) -> Iterator[None]:
    """Ring for block devices as long as the context lasts. Without events the loop's own timers find everything."""
    over = threading.Event()
    try:
        monitor = _monitor()
    except OSError as error:
        _unwatched(error)
        yield
        return
    thread = threading.Thread(target=_watch, args=(monitor, ring, over), name="devices", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _monitor() -> Monitor:
    """Listen to udevd, which tells of a device once its names are there; to the kernel where there is no udevd."""
    monitor = Monitor.from_netlink(Context(), "udev" if os.path.exists(_UDEVD) else "kernel")  # noqa: PTH110
    monitor.filter_by("block")
    monitor.start()
    return monitor


def _watch(monitor: Monitor, ring: Callable[[], None], over: threading.Event) -> None:
    while not over.is_set():
        try:
            if monitor.poll(_TICK) is not None:
                _settle(monitor)
                ring()
        except OSError as error:
            _unwatched(error)
            return


def _settle(monitor: Monitor) -> None:
    """Let pass what comes in one go, such as the devices of a volume group."""
    until = time.monotonic() + _MOST
    while time.monotonic() < until and monitor.poll(_QUIET) is not None:
        pass


def _unwatched(error: OSError) -> None:
    log.warning(
        "block devices are not watched: %s; late ones are found by the retries",
        error,
        extra=fields(Message.UNWATCHED),
    )
