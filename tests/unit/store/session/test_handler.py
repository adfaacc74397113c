"""kazoo's threads as they are started for a client."""

import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from itertools import count

import pytest

from lunmapd.store.session.dial import Dialler
from lunmapd.store.session.handler import WatchedHandler

_MANY = 2000  # more files than select(2) can wait for


@pytest.fixture
def handler() -> WatchedHandler:
    """Make a handler that is not started."""
    return WatchedHandler(Dialler("h:1", 10.0))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Connect two sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_workers_are_started_all_or_none(handler: WatchedHandler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second thread can't be started, the first one doesn't stay: each try would leave one more."""
    before, started, start = threading.active_count(), count(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if next(started):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        handler.start()
    assert threading.active_count() == before
    assert not handler.alive()


def test_a_socket_is_ready_for_what_it_is_asked_for(
    handler: WatchedHandler, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It is readable once there are bytes or the other side has ended, and writable until it is full."""
    one, other = pair
    assert handler.select([one], [other], [], 0) == ([], [other], [])
    other.send(b"1")
    assert handler.select([one, other], [], [], None) == ([one], [], [])
    one.recv(1)
    assert handler.select([one], [], [], 0.001) == ([], [], [])
    other.close()
    assert handler.select([one], [], [], 5) == ([one], [], [])


def test_a_connection_that_was_reset_is_ready(handler: WatchedHandler) -> None:
    """The next read or write raises the error, so kazoo must not wait for the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        connection.send(b"1")
        handler.select([accepted], [], [], 5)
        accepted.close()
        assert handler.select([connection], [], [], 5)[0] == [connection]
        assert handler.select([], [connection], [], 5)[1] == [connection]
        with connection, pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_any_number_of_files_may_be_open(
    handler: WatchedHandler, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Numbers of files above 1023, the limit of select(2), are waited for too."""
    one, other = pair
    with os.fdopen(fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _MANY)) as high:
        assert high.fileno() >= _MANY
        other.send(b"1")
        assert handler.select([high], [], [], 5)[0] == [high]
