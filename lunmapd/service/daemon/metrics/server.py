"""The HTTP server of the metrics: threads for which no cycle waits, and which no client can exhaust."""

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.service.daemon.background import running

_log = logging.getLogger(__name__)

_MAX_REQUESTS = 8
_LONGEST_REQUEST = 10.0  # seconds


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each scrape in a thread of its own, a few at a time, each within a limited time.

    So a client can't exhaust the daemon's threads and files, however many connections it makes.
    """

    daemon_threads = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Listen, as WSGIServer does."""
        self._due: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request in a thread; close the connection at once if too many are being answered."""
        with self._lock:
            accepted = len(self._due) < _MAX_REQUESTS
            if accepted:
                self._due[request] = time.monotonic() + _LONGEST_REQUEST
        if accepted:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, in its thread."""
        threading.current_thread().name = "metrics-request"
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, whose request no longer counts."""
        with self._lock:
            self._due.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End the requests that take too long; `serve_forever` calls this about twice a second."""
        with self._lock:
            late = [request for request, due in self._due.items() if time.monotonic() > due]
        for request in late:
            # The request's thread closes the connection: it finds the end of the input.
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        """Bind without the DNS lookup of HTTPServer, for which the start of the daemon must not wait."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that goes away; log any other error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Server6(_Server):
    """The same on an IPv6 address."""

    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    """Logs no scrape; `timeout` is how many seconds a client may stay silent."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def served(registry: CollectorRegistry, listen: str) -> Iterator[None]:
    """Serve the metrics at `address:port` as long as the context lasts.

    If the address can't be used, a warning is logged and the daemon runs without metrics.
    """
    address, _, port = listen.rpartition(":")
    kind = _Server6 if address.startswith("[") else _Server
    try:
        server = make_server(address.strip("[]"), int(port), make_wsgi_app(registry), kind, _Silent)
    except OSError as error:
        _log.warning(
            "no metrics: can't listen on %s: %s",
            listen,
            error,
            extra=journal_fields(Message.METRICS_UNAVAILABLE),
        )
        yield
        return
    with server, running(server.serve_forever, server.shutdown, "metrics"):
        yield
