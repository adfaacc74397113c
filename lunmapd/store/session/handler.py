"""kazoo's thread handler, which connects by the Dialler and reports whether its threads are alive."""

import logging
import math
import select
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any

from kazoo.handlers.threading import KazooTimeoutError, SequentialThreadingHandler

from lunmapd.store.session.dial import Address, Dialler

_log = logging.getLogger(__name__)


class WatchedHandler(SequentialThreadingHandler):
    """Keeps the threads that kazoo starts: the connection and two workers.

    If any of them ended, the client is dead.
    """

    def __init__(self, dialler: Dialler) -> None:
        super().__init__()
        self.dialler = dialler
        self._spawned: list[threading.Thread] = []

    def start(self) -> None:
        """Start the workers, all or none (kazoo.interfaces.IHandler).

        Raises RuntimeError if a thread can't be started.
        """
        try:
            super().start()
        except RuntimeError:
            # kazoo stops no worker unless all were started.
            self._running = True
            self.stop()
            raise

    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start a thread (kazoo.interfaces.IHandler).

        An error that ends it is logged at level debug: Python would print it on the terminal. The client is
        replaced then, see `alive`.
        """

        def run() -> None:
            try:
                func(*args, **kwargs)
            except Exception:  # noqa: BLE001 - any error ends kazoo's thread
                _log.debug("a thread of kazoo's ends", exc_info=True)

        thread = super().spawn(run)
        self._spawned.append(thread)
        return thread

    def create_connection(self, address: Address, hostname: str | None = None, **_: object) -> socket.socket:
        """Connect to a server (kazoo.interfaces.IHandler); kazoo before 2.10 does not pass `hostname`."""
        return self.dialler.connect(address, hostname)

    def select(
        self, rlist: Sequence[Any], wlist: Sequence[Any], _: Sequence[Any], timeout: float | None = None
    ) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Wait until sockets are ready (kazoo.interfaces.IHandler); `timeout` is in seconds.

        A TLS socket with deciphered bytes is ready, even if the socket below has no more: otherwise the
        second of two replies in one record would wait for the next record. kazoo does not notice that a
        server is silent as long as it has requests to send; this method raises KazooTimeoutError then.

        kazoo waits several times for each message, and its own method makes an epoll object each time. That
        takes half of the processor time of its connection thread.
        """
        deciphered = [item for item in rlist if isinstance(item, ssl.SSLSocket) and item.pending()]
        if deciphered:
            return deciphered, [], []
        readable, writable = _wait_until_ready(rlist, wlist, self.dialler.answer_timeout(timeout))
        if self.dialler.silent(readable):
            raise KazooTimeoutError("the server is silent")
        return readable, writable, []

    def alive(self) -> bool:
        """Return whether every thread still runs."""
        return all(thread.is_alive() for thread in self._spawned)


def _wait_until_ready(
    reading: Sequence[Any], writing: Sequence[Any], timeout: float | None
) -> tuple[list[Any], list[Any]]:
    """Wait until a file is readable or writable, at most `timeout` seconds; return those that are.

    No file is in both sequences. One with an error is ready: the next call on it raises it (poll(2)).
    """
    poll = select.poll()
    for files, event in ((reading, select.POLLIN), (writing, select.POLLOUT)):
        for file in files:
            poll.register(file, event)
    ready = dict(poll.poll(None if timeout is None else math.ceil(timeout * 1000)))
    return (
        [file for file in reading if file.fileno() in ready],
        [file for file in writing if file.fileno() in ready],
    )
