"""kazoo's threads as they are started for a client."""

import threading
from itertools import count

import pytest

from lunmapd.store.session.dial import Dialler
from lunmapd.store.session.handler import WatchedHandler


def test_workers_are_started_all_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the second thread can't be started, the first one doesn't stay: each try would leave one more."""
    before, started, start = threading.active_count(), count(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if next(started):
            raise RuntimeError("can't start new thread")
        start(thread)

    handler = WatchedHandler(Dialler("h:1", 10.0))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        handler.start()
    assert threading.active_count() == before
    assert not handler.alive()
