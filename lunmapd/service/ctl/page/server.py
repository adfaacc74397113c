"""The HTTP server, which is waitress: it bounds the size of a request, the connections and their times."""

import logging
import socket
from collections.abc import Iterable
from functools import partial

from waitress.server import create_server

from lunmapd.client import Client
from lunmapd.service.ctl.page.reading import Readings, read_cluster
from lunmapd.service.ctl.page.site import Website
from lunmapd.service.ctl.page.web import make_application

_THREADS = 4
_MAX_CONNECTIONS = 50
_MAX_HEADER = 16_384
_MAX_BODY = 1_024
_IDLE = 30  # seconds


def serve_cluster(client: Client, opened: socket.socket, names: Iterable[str]) -> None:
    """Serve the pages of a cluster on a listening socket until SIGINT; `names` are allowed as its name."""
    website = Website(Readings(partial(read_cluster, client)), client)
    logging.getLogger("waitress").setLevel(logging.ERROR)
    server = create_server(
        make_application(website, frozenset(names)),
        sockets=[opened],
        threads=_THREADS,
        connection_limit=_MAX_CONNECTIONS,
        channel_timeout=_IDLE,
        max_request_header_size=_MAX_HEADER,
        max_request_body_size=_MAX_BODY,
        log_socket_errors=False,
        ident=None,
    )
    server.run()
