"""A relay in front of a server, which breaks the connection at a chosen request.

Requests are distinguished by ZooKeeper's framing: a length, xid and type, each four bytes (zookeeper.jute).
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Self

MULTI = 14
CREATE = 1


Pump = Callable[[socket.socket, socket.socket], None]


class Break(Enum):
    """The place at which the next request of a type is interrupted."""

    BEFORE = "it never reaches the server"
    AFTER = "the server does it, the client never hears of it"


class Relay:
    """Relays to `host:port` from a port of its own; use it as a context manager.

    `next_break` happens at the next request of type `breaks_at`, by default a transaction, but for `spare`
    others that pass before.
    `asked` gets the time of each connection.
    """

    def __init__(self, target: str, asked: list[float] | None = None) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._asked = [] if asked is None else asked
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.hosts = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.next_break: Break | None = None
        self.breaks_at = MULTI
        self.spare = 0
        self.shut = False
        self.shut_at_break = False
        self.garble = False
        self._unheard = b""

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(30)

    def drop(self) -> None:
        """Break every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _hang_up(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                # A test may leave this process without files for a while.
                if self._over.wait(0.05):
                    return
                continue
            self._asked.append(time.monotonic())
            self._open(client)

    def _open(self, client: socket.socket) -> None:
        try:
            server = None if self.shut else socket.create_connection(self._target, 10)
        except OSError:
            server = None
        if server is None:
            client.close()
            return
        server.settimeout(None)
        with self._lock:
            self._pairs.append((client, server))
        for pump in (self._requests, self._answers):
            thread = threading.Thread(target=self._pump, args=(pump, client, server), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pump(self, pump: Pump, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError):
            pump(client, server)
        _hang_up(client)
        _hang_up(server)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        server.sendall(_frame(client))
        while True:
            frame = _frame(client)
            broken = self.next_break if _type(frame) == self.breaks_at else None
            if broken is not None and self.spare:
                self.spare -= 1
                broken = None
            if broken is None:
                server.sendall(frame)
            else:
                self._break(server, frame, broken)

    def _break(self, server: socket.socket, frame: bytes, broken: Break) -> None:
        self.next_break = None
        self.shut = self.shut_at_break
        if broken is Break.BEFORE:
            raise EOFError
        self._unheard = frame[4:8]
        server.sendall(frame)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        client.sendall(_frame(server))
        while True:
            frame = _frame(server)
            if frame[4:8] == self._unheard:
                self._unheard = b""
                return
            if self.garble:
                self.garble = False
                frame = frame[:4] + struct.pack(">i", 123456) + frame[8:]
            client.sendall(frame)


def _type(frame: bytes) -> int:
    return int(struct.unpack(">i", frame[8:12])[0])


def _frame(source: socket.socket) -> bytes:
    head = _exactly(source, 4)
    return head + _exactly(source, struct.unpack(">i", head)[0])


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = source.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
