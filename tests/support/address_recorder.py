"""Records when the kernel has which addresses: intervals from the notifications of rtnetlink.

A program of its own too, without any other module, so that it runs in a machine of the lab. An interval
begins at the last moment at which no notification was there, and ends when its end was read: it may be too
long by the time that the recorder did not run, but never too short. So it hides no overlap.
"""

import json
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

_GROUPS = 0x10 | 0x100  # linux/rtnetlink.h: RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_NEWADDR, _DELADDR = 20, 21
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_TICK = 0.01


Interval = list[float | None]
"""Start and end; the end is None while the address is there."""


class Recorder:
    """The intervals of each address, in seconds of `clock`; an open one has None as its end."""

    def __init__(self, clock: int = time.CLOCK_BOOTTIME) -> None:
        """Begin to record, in a thread."""
        self._clock = clock
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind((0, _GROUPS))
        self._over = threading.Event()
        self.intervals: dict[str, list[Interval]] = {}
        self._empty = self._now()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the recording."""
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _now(self) -> float:
        return time.clock_gettime(self._clock)

    def _run(self) -> None:
        while not self._over.is_set():
            select.select([self._socket], [], [], _TICK)
            self._drain()

    def _drain(self) -> None:
        while True:
            before = self._now()
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                self._empty = before
                return
            for kind, address in _events(data):
                self._note(kind, address)

    def _note(self, kind: int, address: str) -> None:
        known = self.intervals.setdefault(address, [])
        is_open = bool(known) and known[-1][1] is None
        if kind == _NEWADDR and not is_open:
            known.append([self._empty, None])
        elif kind == _DELADDR and is_open:
            known[-1][1] = self._now()


def _events(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the type and the address of each message (rtnetlink(7))."""
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        if kind in {_NEWADDR, _DELADDR}:
            found = dict(_attributes(data[_HEADER.size + _ADDRESS.size : length]))
            yield kind, str(ip_address(found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]))
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]


def follow(recorder: Recorder) -> None:
    """Print the present time four times a second, and with it the intervals if they have changed."""
    shown = ""
    while True:
        time.sleep(0.25)
        intervals = json.dumps(recorder.intervals)
        more = "" if intervals == shown else f', "intervals": {intervals}'
        shown = intervals
        sys.stdout.write(f'{{"now": {time.clock_gettime(time.CLOCK_MONOTONIC)}{more}}}\n')
        sys.stdout.flush()


def main() -> None:
    """Record until SIGTERM, by CLOCK_MONOTONIC, which all namespaces of a host share; print JSON.

    With the argument `follow` the intervals are printed again and again.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    recorder = Recorder(time.CLOCK_MONOTONIC)
    if sys.argv[1:] == ["follow"]:
        follow(recorder)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    signal.sigwait({signal.SIGTERM})
    recorder.stop()
    sys.stdout.write(json.dumps(recorder.intervals) + "\n")


if __name__ == "__main__":
    main()
