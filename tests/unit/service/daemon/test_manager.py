"""Messages to systemd: a ping for each step, and more time where it is needed."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lunmapd.agent.loop.wakeup import Wakeup
from lunmapd.core.base.event_reasons import WakeCause
from lunmapd.service.daemon.manager import Manager
from lunmapd.service.daemon.signals import Signals


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Give the socket that systemd would listen on."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setenv("WATCHDOG_USEC", "180000000")
        yield listening


def said(systemd: socket.socket) -> str:
    """Return the next message."""
    return systemd.recv(4096).decode()


def silent(systemd: socket.socket) -> bool:
    """Return whether there is no further message."""
    try:
        systemd.recv(4096)
    except BlockingIOError:
        return True
    return False


def test_a_beat_asks_for_more_time_until_ready(systemd: socket.socket) -> None:
    """A first pass or a reload may take long; a ready daemon sends plain pings."""
    manager = Manager(90)
    manager.beat()
    assert said(systemd) == "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=180000000"
    manager.ready("applied revision 1")
    assert said(systemd) == "READY=1\nSTATUS=applied revision 1"
    manager.beat()
    assert said(systemd) == "WATCHDOG=1"
    manager.reloading()
    assert said(systemd).startswith("RELOADING=1\nMONOTONIC_USEC=")
    manager.beat()
    assert "EXTEND_TIMEOUT_USEC" in said(systemd)


def test_a_watchdog_that_is_too_quick_is_told_so(systemd: socket.socket) -> None:
    """If a deadline is longer than the unit's watchdog, twice the longest is requested, else nothing."""
    assert Manager(300).every == 150
    assert said(systemd) == "WATCHDOG_USEC=600000000"
    assert Manager(90).every == 45
    assert silent(systemd)


def test_a_status_is_one_line(systemd: socket.socket) -> None:
    """An error of several lines can't be taken for further messages to systemd."""
    Manager(1).ready("bad\nSTOPPING=1")
    assert said(systemd) == "READY=1\nSTATUS=bad\\nSTOPPING=1"


def test_the_end_is_said(systemd: socket.socket) -> None:
    """The end is reported, so that systemd waits for it."""
    Manager(1).stopping()
    assert said(systemd) == "STOPPING=1"


@pytest.mark.parametrize("place", ["gone", "", "relative", "@"])
def test_a_manager_that_is_out_of_reach_stops_no_work(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """As while systemd is executed again, or with a garbled environment."""
    monkeypatch.setenv("NOTIFY_SOCKET", place)
    for usec in ("abc", "-1", "", "9" * 30):
        monkeypatch.setenv("WATCHDOG_USEC", usec)
        manager = Manager(45.0)
        manager.beat()
        manager.ready("well")
        manager.reloading()
        manager.stopping()
        assert manager.every > 0


def test_without_a_manager_nobody_is_told(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a service manager, the daemon works and sends nothing."""
    monkeypatch.delenv("NOTIFY_SOCKET")
    monkeypatch.delenv("WATCHDOG_USEC")
    Manager(90).beat()
    assert silent(systemd)


@pytest.mark.parametrize(
    ("number", "asked"),
    [
        (signal.SIGTERM, (True, False, WakeCause.STOP)),
        (signal.SIGINT, (True, False, WakeCause.STOP)),
        (signal.SIGHUP, (False, True, WakeCause.RELOAD)),
    ],
)
def test_a_signal_asks_and_ends_the_wait(number: signal.Signals, asked: tuple[bool, bool, WakeCause]) -> None:
    """TERM and INT ask to stop, HUP asks once to reload, and each ends the wait between cycles."""
    wakeup = Wakeup()
    signals = Signals(wakeup.notify)
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signals.listen()
    try:
        os.kill(os.getpid(), number)
        (cause,) = wakeup.wait(60)
        assert (signals.stopping(), signals.reload(), cause) == asked
        assert not signals.reload()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
