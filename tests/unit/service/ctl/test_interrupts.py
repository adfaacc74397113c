"""Ctrl-C while kazoo sends a request, a module is imported, or a thread begins or ends to wait."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
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
    result.get(timeout=60)


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


# What importlib does with the lock of each module.
_MODULE = """
import os, signal, weakref

class Lock:
    pass

lock = Lock()
kept = weakref.ref(lock, lambda _: os.kill(os.getpid(), signal.SIGINT))
del lock
"""


def _import(name: str) -> None:
    importlib.import_module(name)
    signal.sigtimedwait([], 10)  # an interrupt ends it


def test_an_interrupt_during_an_import_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is raised after the import, though Python drops what a callback of the import raises."""
    (tmp_path / "interrupted.py").write_text(_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    raise_interrupts()
    with pytest.raises(KeyboardInterrupt):
        _import("interrupted")
    assert "interrupted" in sys.modules


class _Lock:
    """A lock of a condition; an interrupt comes at one of the two uses by a wait."""

    def __init__(self, at: str) -> None:
        self._lock = threading.Lock()
        self._at = at

    def acquire(self, blocking: bool = True) -> bool:  # noqa: FBT001, FBT002 - as threading.Lock has it
        if self._at == "acquire":
            os.kill(os.getpid(), signal.SIGINT)
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()
        if self._at == "release":
            os.kill(os.getpid(), signal.SIGINT)

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _is_owned(self) -> bool:
        return self._lock.locked()


def _wait(condition: threading.Condition, timeout: float) -> None:
    with condition:
        condition.wait(timeout)
        signal.sigtimedwait([], 10)  # an interrupt ends it


@pytest.mark.parametrize(("at", "timeout"), [("release", 60), ("acquire", 0.01)])
def test_an_interrupt_while_a_wait_changes_its_lock_is_not_replaced(at: str, timeout: float) -> None:
    """Neither before it waits nor after it: the lock is held when the interrupt is raised."""
    raise_interrupts()
    lock: Any = _Lock(at)
    with pytest.raises(KeyboardInterrupt):
        _wait(threading.Condition(lock), timeout)
