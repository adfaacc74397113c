"""The cluster is read when somebody asks; a server that is away keeps the last reading."""

import threading
from collections.abc import Callable

import pytest

from lunmapd.service.cli import OutputError
from lunmapd.service.ctl.page.reading import ClusterReading, Readings
from support.reading import reading


def scripted(
    *results: ClusterReading | Exception,
) -> tuple[Callable[[ClusterReading | None], ClusterReading], list[ClusterReading | None]]:
    """Return a reader that gives these results one after the other, and the readings it was called with."""
    left, calls = list(results), list[ClusterReading | None]()

    def read(known: ClusterReading | None) -> ClusterReading:
        calls.append(known)
        result = left.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    return read, calls


def test_a_young_reading_is_not_renewed() -> None:
    """However many ask for it; an old one is, and only what is new is read then."""
    first, second = reading(), reading()
    read, calls = scripted(first, second)
    readings = Readings(read, fresh=3600)
    assert [readings.latest() for _ in range(3)] == [(first, "")] * 3
    assert calls == [None]
    read, calls = scripted(first, second)
    readings = Readings(read, fresh=0)
    assert [readings.latest(), readings.latest()] == [(first, ""), (second, "")]
    assert calls == [None, first]


def test_a_failure_keeps_the_reading_before() -> None:
    """With the reason, whatever it is; the next reading is new again."""
    first, second = reading(), reading()
    read, calls = scripted(OutputError("no answer"), first, OutputError("away"), KeyError("x"), second)
    readings = Readings(read, fresh=0)
    assert readings.latest() == (None, "ZooKeeper could not be read: no answer")
    assert readings.latest() == (first, "")
    assert readings.latest() == (first, "ZooKeeper could not be read: away")
    assert readings.latest() == (first, "KeyError: 'x': a bug of lunmapd; please report it")
    assert readings.latest() == (second, "")
    assert calls == [None, None, first, first, first]


@pytest.mark.parametrize(
    ("young", "error"),
    [
        (3600, ""),
        (0, "This reading takes more than 0.05 seconds: ZooKeeper or this machine is slow"),
    ],
)
def test_nobody_waits_for_a_slow_reading(young: float, error: str) -> None:
    """All get the reading before after some time, and nobody reads a second time; an old one has an error."""
    first, go, calls = reading(), threading.Event(), list[ClusterReading | None]()

    def read(known: ClusterReading | None) -> ClusterReading:
        calls.append(known)
        if known is not None:
            assert go.wait(60)
        return first

    readings = Readings(read, fresh=0, patience=0.05, young=young)
    while readings.latest().reading is None:
        pass
    for _ in range(3):
        assert readings.latest() == (first, error)
    assert calls == [None, first]
    go.set()


def test_a_first_reading_that_takes_long_is_stated() -> None:
    """There is nothing to show before it, whatever its age."""
    go = threading.Event()

    def read(_: ClusterReading | None) -> ClusterReading:
        assert go.wait(60)
        return reading()

    latest = Readings(read, patience=0.05).latest()
    go.set()
    assert latest.reading is None
    assert latest.error.endswith("ZooKeeper or this machine is slow")
