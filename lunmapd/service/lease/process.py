"""The lease process: `python -m lunmapd.service.lease.process LOCK PARENT`.

It reads requests from stdin and writes answers to stdout. It ends when its stdin closes, and at once when the
daemon ends. The addresses stay in the kernel for the rest of their lifetime.
"""

import fcntl
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from threading import Lock

from lunmapd.files import write_all
from lunmapd.service.lease import wire
from lunmapd.service.lease.kill_timer import die_with_parent
from lunmapd.service.lease.netlink import Netlink
from lunmapd.service.lease.server import LeaseServer

_CHUNK = 1 << 16
_LONGEST_WAIT = 1.0
"""Seconds: poll(2) does not count the time for which the machine is suspended, the lifetimes do."""


def serve_leases(descriptor: int, server: LeaseServer) -> None:
    """Handle the requests that arrive, and drop addresses at their end, until there are no more."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    rest = b""
    while True:
        ready = poll.poll(_wait_ms(server.seconds_left()))
        server.drop_expired()
        if not ready:
            continue
        data = os.read(descriptor, _CHUNK)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            server.handle(wire.decode_lease_request(line))


def _wait_ms(left: float | None) -> int | None:
    return None if left is None else ceil(min(left, _LONGEST_WAIT) * 1000)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other lease process of this node runs: it may have a call into the kernel under way."""
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(lock: str, parent: str) -> None:
    """Serve stdin and stdout; text that a library prints goes to stderr."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    answers = os.dup(1)
    os.dup2(2, 1)
    sending = Lock()

    def send(answer: wire.LeaseAnswer) -> None:
        with sending:
            write_all(answers, wire.encode_frame(answer) + b"\n")

    die_with_parent(int(parent))
    with _alone(Path(lock)):
        send(wire.ReadyAnswer())
        serve_leases(0, LeaseServer(Netlink(), send))


if __name__ == "__main__":
    main(*sys.argv[1:])
