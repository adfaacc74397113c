"""The cluster is read when somebody asks; a server that is away keeps the last reading."""

import threading
from collections.abc import Callable

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
    assert readings.latest() == (None, "no answer")
    assert readings.latest() == (first, "")
    assert readings.latest() == (first, "away")
    assert readings.latest() == (first, "KeyError: 'x': a bug of lunmapd; please report it")
    assert readings.latest() == (second, "")
    assert calls == [None, None, first, first, first]


def test_nobody_waits_for_a_silent_server() -> None:
    """While one thread reads, all get the reading before after some time, and nobody reads a second time."""
    first, go, calls = reading(), threading.Event(), list[ClusterReading | None]()

    def read(known: ClusterReading | None) -> ClusterReading:
        calls.append(known)
        if known is not None:
            assert go.wait(60)
        return first

    readings = Readings(read, fresh=0, patience=0.05)
    assert Readings(lambda _: first).latest() == (first, "")
    while readings.latest().error:
        pass
    for _ in range(3):
        assert readings.latest() == (first, "there is no answer after 0.05 seconds yet")
    assert calls == [None, first]
    go.set()
