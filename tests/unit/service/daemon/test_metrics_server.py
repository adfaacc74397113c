"""The HTTP server of the figures for Prometheus, and clients that are slow, silent or many."""

import socket
import threading
import time
from contextlib import ExitStack
from urllib.request import urlopen

import pytest

from lab.wait import PATIENCE, wait_until
from lunmapd.service.daemon.metrics import server as metrics_server
from lunmapd.service.daemon.metrics.server import _MAX_REQUESTS, _Silent, served
from support.node_metrics import full


@pytest.fixture
def port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        number: int = server.getsockname()[1]
    return number


def test_the_figures_are_served_on_request(port: int) -> None:
    """Prometheus finds them under /metrics as long as the daemon runs."""
    with (
        served(full().registry, f"127.0.0.1:{port}"),
        urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer,
    ):
        assert b"lunmapd_applied_revision 6.0" in answer.read()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 60)


def test_a_silent_client_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that sends nothing holds its thread for a limited time, and nothing is logged."""
    monkeypatch.setattr(_Silent, "timeout", 0.05)
    with (
        served(full().registry, f"127.0.0.1:{port}"),
        socket.create_connection(("127.0.0.1", port), timeout=30) as silent,
    ):
        assert silent.recv(1) == b""
    assert capsys.readouterr().err == ""


def test_a_slow_client_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes on sending, byte by byte, has no more time for its request than any other."""
    monkeypatch.setattr(metrics_server, "_LONGEST_REQUEST", 0.2)
    with (
        served(full().registry, f"127.0.0.1:{port}"),
        socket.create_connection(("127.0.0.1", port), 30) as slow,
    ):
        slow.settimeout(0.02)
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE:
            try:
                slow.sendall(b"x")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began < PATIENCE


def test_many_clients_hold_few_threads(port: int) -> None:
    """Only some requests are answered at a time, the connections beyond are closed, and later ones served."""
    with served(full().registry, f"127.0.0.1:{port}"):
        with ExitStack() as held:
            clients = [
                held.enter_context(socket.create_connection(("127.0.0.1", port), 30)) for _ in range(16)
            ]
            refused = [client for client in clients[_MAX_REQUESTS:] if client.recv(1) == b""]
            assert len(refused) == len(clients) - _MAX_REQUESTS
            assert (
                sum(thread.name.startswith("metrics-") for thread in threading.enumerate()) <= _MAX_REQUESTS
            )
        wait_until("a request is answered", lambda: answers(port))


def answers(port: int) -> bool:
    """Return whether a scrape is answered."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return b"lunmapd_applied_revision 6.0" in answer.read()
    except OSError:
        return False


def test_an_address_that_is_taken_costs_the_figures_only(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """The daemon logs that it can't listen there, and goes on."""
    with served(full().registry, f"127.0.0.1:{port}"), served(full().registry, f"127.0.0.1:{port}"):
        assert f"can't listen on 127.0.0.1:{port}" in caplog.text
