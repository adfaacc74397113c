"""Watching block devices: only a lasting error ends it."""

import errno
import logging
import os
import threading
from collections.abc import Set as AbstractSet

import pytest

from lunmapd.service.daemon.devices import watch_devices


class Feed:
    """Replaces pyudev's monitor: yields its values, raises its errors, and then ends the watch."""

    def __init__(self, *said: object) -> None:
        self._said = iter(said)
        self.over = threading.Event()

    def poll(self, _seconds: float) -> object:
        """Return the next event, None after a timeout."""
        answer = next(self._said, self)
        if isinstance(answer, OSError):
            raise answer
        if answer is self:
            self.over.set()
        return None if answer is self else answer

    def fileno(self) -> int:
        """Have no socket: every error here has its number."""
        raise AssertionError


def rings(feed: Feed) -> int:
    """Watch to the end, and return how often was rung."""
    return len(told(feed))


def told(feed: Feed) -> list[AbstractSet[str] | None]:
    """Watch to the end, and return the devices of each call."""
    calls: list[AbstractSet[str] | None] = []
    watch_devices(feed, calls.append, feed.over)
    return calls


class Event:
    """An event of a device."""

    def __init__(self, major: int, minor: int) -> None:
        self.device_number = os.makedev(major, minor)


def test_the_devices_of_a_burst_are_told() -> None:
    """Their numbers are known, unless an event was dropped or has none."""
    assert told(Feed(Event(8, 0), Event(254, 3), Event(8, 0))) == [{"8:0", "254:3"}]
    assert told(Feed(Event(8, 0), overflow(), None, Event(8, 16))) == [None, {"8:16"}]
    assert told(Feed(Event(8, 0), "vdb")) == [None]


def overflow() -> OSError:
    """Return the error that the kernel gives once after dropped events."""
    return OSError(errno.ENOBUFS, "No buffer space available")


def test_what_comes_in_one_go_rings_once() -> None:
    """Events in a row call back once, and those after a pause again."""
    assert rings(Feed("vdb", "vdc", None, None, "vdd")) == 2


@pytest.mark.parametrize(
    "said", [(overflow(), None, "vdb"), ("vda", overflow(), None, "vdb")], ids=["at rest", "amid events"]
)
def test_an_overflow_rings_and_the_watch_goes_on(
    said: tuple[object, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """After dropped events the callback is called, and later events call it too."""
    assert rings(Feed(*said)) == 2
    assert not caplog.records


def test_another_error_is_said_and_ends_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    """Without a socket the watch ends, and the journal tells that the retries find devices."""
    with caplog.at_level(logging.WARNING):
        assert rings(Feed(OSError(errno.EBADF, "Bad file descriptor"), "vdb")) == 0
    assert [record.getMessage() for record in caplog.records] == [
        "block devices are not watched: [Errno 9] Bad file descriptor; late ones are found by the retries"
    ]
