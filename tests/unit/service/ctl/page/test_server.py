"""The HTTP server: clients that are slow keep no other reader away."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

_PATIENCE = 60.0
_SLOWLY = 0.05
_PROGRAM = """
import socket, sys
from lunmapd.service.ctl.page.server import Limits, serve_site
from support.page_requests import website
from support.reading import reading

opened = socket.create_server(("127.0.0.1", 0))
print(opened.getsockname()[1], flush=True)
serve_site(website(reading()), opened, (), limits=Limits(connections=8, request=0.5))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Give the port of a server that allows few connections, each half a second for a request."""
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            yield int(program.stdout.readline())
        finally:
            program.kill()


def test_clients_that_send_slowly_keep_nobody_away(port: int) -> None:
    """More of them than there are connections send a byte now and then: each is closed after its time."""
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), _PATIENCE)) for _ in range(20)
        ]
        for client in slow:
            client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            client.settimeout(_SLOWLY)
        reader = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        reader.request("GET", "/")
        left = set(slow)
        while left:
            left = {client for client in left if is_kept(client)}
        assert reader.getresponse().status == 200
        reader.close()


def is_kept(client: socket.socket) -> bool:
    """Send one byte more, and return whether the server still has the connection."""
    try:
        client.sendall(b"a")
        return client.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False
