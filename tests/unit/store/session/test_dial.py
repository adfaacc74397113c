"""Connecting to a server, against plain TLS servers on loopback."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lunmapd.core.base.events import Event
from lunmapd.store.session.credentials import Tls
from lunmapd.store.session.dial import Dialler, format_address
from lunmapd.store.session.handler import WatchedHandler
from support.debug_log import lines
from support.pki import Authority, Pair


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give a CA."""
    return Authority(tmp_path)


@contextmanager
def serving(
    pair: Pair, talk: Callable[[ssl.SSLSocket], None], port: int = 0, clients: Path | None = None
) -> Iterator[int]:
    """Serve one TLS connection with `talk`; give the port.

    With `clients` it requires a certificate of that CA.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(30)

        def serve() -> None:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    talk(connection)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(30)


def dialler(port: int, ca: Path, host: str = "localhost") -> Dialler:
    """Make a dialler for one server."""
    return Dialler(f"{host}:{port}", 10.0, Tls(ca))


def test_a_name_that_kazoo_does_not_give_is_looked_up(authority: Authority) -> None:
    """With a kazoo that gives only the address, the certificate is held against the name in the settings."""
    pair = authority.issue("server", ["localhost"])
    with (
        serving(pair, lambda connection: connection.sendall(b"welcome")) as port,
        closing(dialler(port, authority.ca).connect(("127.0.0.1", port), None)) as connection,
    ):
        assert connection.recv(7) == b"welcome"


def test_an_address_without_a_name_stands_for_itself(authority: Authority) -> None:
    """An address that no name of the settings leads to any more must be in the certificate itself."""
    pair = authority.issue("server", ["localhost"])
    with serving(pair, lambda _: None) as port:
        stale = dialler(port, authority.ca, host="gone.invalid")
        with pytest.raises(ssl.SSLCertVerificationError):
            stale.connect(("127.0.0.1", port), None)
    (problem,) = stale.problems.values()
    assert problem.tls
    assert "IP address mismatch" in problem.reason


def test_problems_are_kept_by_server_until_there_is_a_session(caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection is recorded by server and logged at debug, until a session is established."""
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    plain = Dialler(f"127.0.0.1:{port}", 10.0, None)
    with pytest.raises(ConnectionRefusedError):
        plain.connect(("127.0.0.1", port), None)
    assert {server: problem.reason for server, problem in plain.problems.items()} == {
        f"127.0.0.1:{port}": "connection refused"
    }
    assert lines(caplog.records, Event.CONNECT_FAILED) == [
        f"ZooKeeper: no connection to 127.0.0.1:{port}: connection refused"
    ]
    plain.connected()
    assert plain.problems == {}


def test_a_refusal_is_known_while_the_server_is_asked_again(authority: Authority) -> None:
    """A TLS failure after the handshake is reported until the next attempt ends, then that one's result."""
    pair, over = authority.issue("server", ["localhost"]), threading.Event()

    def wait(_: ssl.SSLSocket) -> None:
        over.wait(30)

    with serving(pair, wait, clients=authority.ca) as port:
        found = dialler(port, authority.ca)
        refused = found.connect(("127.0.0.1", port), None)
        with refused, pytest.raises(ssl.SSLError):
            refused.recv(1)
    for reason in ("it requires a client certificate", "it accepted the connection but gave no session"):
        with serving(pair, wait, port), found.connect(("127.0.0.1", port), None):
            assert [problem.reason for problem in found.problems.values()] == [reason]
            over.set()


def test_addresses_are_shown_as_in_the_settings() -> None:
    """IPv6 addresses have brackets."""
    assert (format_address(("10.0.0.1", 2181)), format_address(("fd00::1", 2181))) == (
        "10.0.0.1:2181",
        "[fd00::1]:2181",
    )


def test_what_tls_holds_is_ready_to_be_read(authority: Authority) -> None:
    """Two answers in one TLS record are both read at once, though the socket is silent after the first."""
    pair = authority.issue("server", ["localhost"])
    done = threading.Event()

    def talk(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"onetwo")
        done.wait(30)

    with serving(pair, talk) as port:
        handler = WatchedHandler(dialler(port, authority.ca))
        with handler.create_connection(("127.0.0.1", port), "localhost") as connection:
            assert handler.select([connection], [], [], 30)[0] == [connection]
            assert connection.recv(3) == b"one"
            assert handler.select([connection], [], [], 0)[0] == [connection]
            assert connection.recv(3) == b"two"
            assert handler.select([connection], [], [], 0)[0] == []
        done.set()
