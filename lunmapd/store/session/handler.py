"""kazoo's thread handler, made to connect in our way and to tell whether its threads are alive."""

import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any

from kazoo.handlers.threading import KazooTimeoutError, SequentialThreadingHandler

from lunmapd.store.session.dial import Address, Dialler


class WatchedHandler(SequentialThreadingHandler):
    """Remembers the threads that kazoo starts: the connection and two workers. Any that ended is a dead client."""

    def __init__(self, dialler: Dialler) -> None:
        super().__init__()
        self.dialler = dialler
        self._spawned: list[threading.Thread] = []

    def start(self) -> None:
        """Start the workers, all or none (kazoo.interfaces.IHandler)."""
        try:
            super().start()
        except RuntimeError:
            # kazoo stops none unless all were started.
            self._running = True
            self.stop()
            raise

    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start a thread (kazoo.interfaces.IHandler)."""
        thread = super().spawn(func, *args, **kwargs)
        self._spawned.append(thread)
        return thread

    def create_connection(self, address: Address, hostname: str | None = None, **_: object) -> socket.socket:
        """Connect to a server (kazoo.interfaces.IHandler); kazoo before 2.10 doesn't give the name."""
        return self.dialler.connect(address, hostname)

    def select(
        self, rlist: Sequence[Any], wlist: Sequence[Any], xlist: Sequence[Any], timeout: float | None = None
    ) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Wait for sockets (kazoo.interfaces.IHandler).

        What TLS has deciphered already is to be read, while the socket beneath has nothing more: two answers
        in one record would else wait for the next one. And kazoo doesn't notice that a server is silent as long as
        there are requests to send to it.
        """
        held = [item for item in rlist if isinstance(item, ssl.SSLSocket) and item.pending()]
        if held:
            return held, [], []
        found = super().select(rlist, wlist, xlist, self.dialler.answer_timeout(timeout))
        if self.dialler.silent(found[0]):
            raise KazooTimeoutError("the server is silent")
        return found

    def alive(self) -> bool:
        """Whether every thread still runs."""
        return all(thread.is_alive() for thread in self._spawned)
