"""Connecting to a server, instead of kazoo: TCP, then TLS.

kazoo 2.9 (Debian 13) does not verify the name in the servers' certificates, and no version of kazoo reports
why a connection failed. This module does both, and keeps the last problem of each server.
"""

import contextlib
import logging
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from msgspec import Struct

from lunmapd.core.base.events import Event
from lunmapd.store.session.access_errors import CredentialsError
from lunmapd.store.session.credentials import Tls, tls_context
from lunmapd.store.session.pauses import Losses, dial_timeout
from lunmapd.trace import trace

_log = logging.getLogger(__name__)

Address = tuple[str, int]

# Texts for reasons of OpenSSL (openssl/sslerr.h); a reason that is missing here is shown by its name.
_REASONS = {
    "WRONG_VERSION_NUMBER": "it speaks no TLS at this port",
    "RECORD_LAYER_FAILURE": "it speaks no TLS at this port",
    "UNEXPECTED_EOF_WHILE_READING": "it closed the connection in the handshake, as a port without TLS does",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it requires a client certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it requires a client certificate, or has no cipher in common",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses our certificate, which has expired",
    "TLSV1_ALERT_UNKNOWN_CA": "it refuses our certificate, whose CA it doesn't know",
}


class ConnectProblem(Struct, frozen=True):
    """Why there is no session with a server: the reason, and whether TLS failed."""

    reason: str
    tls: bool = False


_NO_SESSION = ConnectProblem("it accepted the connection but gave no session")


class Dialler:
    """Connects to the servers of `hosts` (`host:port,...`), for a session timeout of `timeout` seconds.

    `problems` maps each server (`host:port`) to its last problem, and is emptied when a session is
    established. `closing` ends the pause between two connections.
    """

    def __init__(
        self, hosts: str, timeout: float, tls: Tls | None = None, closing: threading.Event | None = None
    ) -> None:
        self._hosts = hosts
        self._tls = tls
        self._closing = closing or threading.Event()
        self._losses: Losses[Address] = Losses(timeout)
        self._waiting: tuple[Address, socket.socket] | None = None
        self._current: socket.socket | None = None
        self._answer_timeout = dial_timeout(timeout, hosts.count(",") + 1)
        self.problems: Mapping[str, ConnectProblem] = {}
        self.server = ""

    def connected(self) -> None:
        """Record that a session is established, and forget the problems."""
        self.problems = {}
        if self._waiting is not None:
            address, self._current = self._waiting
            self._waiting, self.server = None, format_address(address)
            self._losses.connected(address, time.monotonic())

    def silent(self, ready: Collection[object]) -> bool:
        """Return whether the server has been silent for too long; `ready` are the readable sockets."""
        now = time.monotonic()
        if self._current in ready:
            self._losses.heard(now)
        return self._current is not None and self._losses.silent(now)

    def unanswered(self, sent: float) -> None:
        """Record that a request of `sent` got no answer in time; a server that was silent since is given up.

        `sent` is by the monotonic clock.
        """
        self._losses.unanswered(sent)

    def answer_timeout(self, timeout: float | None) -> float | None:
        """Limit a timeout (seconds) to what one server may take to answer, while it has given no session."""
        return timeout if timeout is None or self._waiting is None else min(timeout, self._answer_timeout)

    def connect(self, address: Address, hostname: str | None) -> socket.socket:
        """Connect to `address`. Raises OSError, as kazoo expects.

        `hostname` is the name that was resolved to the address (None: it is looked up in `hosts`). After a
        lost connection it first waits for a random time, since all other clients may have lost the same
        server.
        """
        if self._waiting is not None:
            self._failed(format_address(self._waiting[0]), _NO_SESSION)
        self._waiting = self._current = None
        self._closing.wait(self._losses.pause(time.monotonic(), random.random()))  # noqa: S311 - no secret
        server = format_address(address)
        if self._losses.avoids(address):
            raise OSError(f"{server} stopped answering a moment ago: the other servers are tried first")
        found = self._dial(address, hostname, server)
        self._waiting = address, found
        return found

    def _dial(self, address: Address, hostname: str | None, server: str) -> socket.socket:
        try:
            found = self._open(address, hostname, server)
        except CredentialsError as error:
            self._failed(server, ConnectProblem(str(error), tls=True))
            raise OSError(str(error)) from None
        except OSError as error:
            self._failed(server, _problem_of(error))
            raise
        if not self.problems.get(server, _NO_SESSION).tls:
            # A TLS problem is kept until there is a session, since an admin must correct it.
            self._note(server, _NO_SESSION)
        return found

    def _open(self, address: Address, hostname: str | None, server: str) -> socket.socket:
        found = socket.create_connection(address, self._answer_timeout)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            return found
        with found:
            context = tls_context(self._tls)
            context.sslsocket_class = _NotingSocket
            wrapped = context.wrap_socket(found, server_hostname=hostname or self._name(address))
        assert isinstance(wrapped, _NotingSocket)
        wrapped.note = lambda error: self._refused(server, error)
        return wrapped

    def _name(self, address: Address) -> str:
        """Return the name in `hosts` that resolves to an address."""
        for entry in self._hosts.split(","):
            host, _, port = entry.strip().rpartition(":")
            host = host.strip("[]")
            with contextlib.suppress(OSError):
                found = {info[4][:2] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
                if address in found:
                    return host
        return address[0]

    def _refused(self, server: str, error: ssl.SSLError) -> None:
        self._waiting = None
        self._failed(server, _problem_of(error))

    def _failed(self, server: str, problem: ConnectProblem) -> None:
        trace(_log, Event.CONNECT_FAILED, server=server, reason=problem.reason)
        self._note(server, problem)

    def _note(self, server: str, problem: ConnectProblem) -> None:
        self.problems = {**self.problems, server: problem}


class _NotingSocket(ssl.SSLSocket):
    """A TLS socket that reports errors to `note`.

    With TLS 1.3 a server refuses a certificate only after the handshake.
    """

    note: Callable[[ssl.SSLError], None]

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        try:
            return super().recv(*args, **kwargs)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.note(error)
            raise


def format_address(address: Address) -> str:
    """Return an address as it is written in the settings."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _problem_of(error: OSError) -> ConnectProblem:
    match error:
        case ssl.SSLCertVerificationError():
            return ConnectProblem(
                f"its certificate is not valid: {error.verify_message.rstrip('.')}", tls=True
            )
        case ssl.SSLError():
            reason = error.reason or "unknown"
            return ConnectProblem(_REASONS.get(reason, reason.lower().replace("_", " ")), tls=True)
        case TimeoutError():
            return ConnectProblem("no answer")
        case _:
            return ConnectProblem((error.strerror or str(error)).lower())
