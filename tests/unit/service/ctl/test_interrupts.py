"""Ctrl-C while kazoo sends a request."""

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kazoo.client import KazooClient

from lunmapd.service.ctl.interrupts import raise_interrupts


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class _Interrupted:
    """The socket that wakes kazoo's thread; an interrupt comes while it is used."""

    def send(self, data: bytes) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return len(data)


def _client(wakes: _Interrupted) -> Any:
    client: Any = KazooClient()
    client._state = "CONNECTED"
    client._connection = SimpleNamespace(_write_sock=wakes)
    return client


def _request(client: Any, result: Any) -> None:
    client._call(None, result)  # each request goes through it
    result.get(timeout=10)


def test_an_interrupt_while_kazoo_sends_is_not_lost() -> None:
    """It is raised when the request is sent, and the request itself is not taken for lost."""
    raise_interrupts()
    client = _client(_Interrupted())
    result = client.handler.async_result()
    with pytest.raises(KeyboardInterrupt):
        _request(client, result)
    assert result.exception is None


def test_another_interrupt_is_raised_at_once() -> None:
    """Outside kazoo it comes as by Python's own handler."""
    raise_interrupts()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
