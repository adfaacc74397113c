"""The HTTP server, which is waitress: it bounds the size of a request, the connections and their times."""

import logging
import socket
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from waitress.channel import HTTPChannel
from waitress.server import create_server

from lunmapd.client import Client
from lunmapd.service.ctl.page.reading import Readings, read_cluster
from lunmapd.service.ctl.page.site import Website
from lunmapd.service.ctl.page.web import make_application

_THREADS = 8
_MAX_HEADER = 16_384
_MAX_BODY = 1_024
_CLEANUP = 5  # seconds


class Limits(NamedTuple):
    """The number of connections, and in seconds the time for a whole request and that without any byte."""

    connections: int = 500
    request: float = 10.0
    idle: int = 15


LIMITS = Limits()


class TimedChannel(HTTPChannel):
    """A connection that ends if a request is not whole in time.

    waitress bounds the time without any byte only. So a client that sends a byte now and then would keep its
    connection, and some of them all connections.
    """

    def __init__(self, seconds: float, *waitress: Any, **options: Any) -> None:
        """Allow this time for a request; the other arguments are those of waitress."""
        self._seconds, self._began = seconds, float("inf")
        super().__init__(*waitress, **options)

    def received(self, data: bytes) -> bool:
        """Take bytes of a request; return whether they were taken."""
        now = time.monotonic()
        if now - self._began > self._seconds:
            self.will_close = True
            return False
        is_taken = super().received(data)
        # waitress keeps a request that is not whole in `request`.
        self._began = min(self._began, now) if self.request else float("inf")
        return is_taken


def serve_cluster(client: Client, call: str, opened: socket.socket, names: Iterable[str]) -> None:
    """Serve the pages of a cluster on a listening socket until SIGINT; `names` are allowed as its name.

    `call` are the words that begin a command about this cluster.
    """
    serve_site(Website(Readings(partial(read_cluster, client, call)), client), opened, names)


def serve_site(
    website: Website, opened: socket.socket, names: Iterable[str], limits: Limits = LIMITS
) -> None:
    """Serve a site on a listening socket until SIGINT; `names` are allowed as its name."""
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = create_server(
        make_application(website, frozenset(names)),
        sockets=[opened],
        threads=_THREADS,
        connection_limit=limits.connections,
        channel_timeout=limits.idle,
        cleanup_interval=_CLEANUP,
        # select() has no file descriptors from 1024 on.
        asyncore_use_poll=True,
        max_request_header_size=_MAX_HEADER,
        max_request_body_size=_MAX_BODY,
        log_socket_errors=False,
        ident=None,
    )
    server.channel_class = partial(TimedChannel, limits.request)
    server.run()
