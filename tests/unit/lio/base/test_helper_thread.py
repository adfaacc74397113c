"""A thread that runs one function after the other."""

import threading

import pytest

from lunmapd.lio.base.helper_thread import HelperThread


def thread_of(helper: HelperThread) -> threading.Thread:
    """Return the thread in which the helper runs functions."""
    found: list[threading.Thread] = []
    over = threading.Event()

    def work() -> None:
        found.append(threading.current_thread())
        over.set()

    helper.run(work)
    assert over.wait(10)
    return found[0]


def fail() -> None:
    """Raise an exception."""
    raise KeyError


def test_all_work_is_done_in_one_thread() -> None:
    """The thread is kept, and ends when it is told to."""
    helper = HelperThread()
    assert not helper.alive
    first = thread_of(helper)
    assert thread_of(helper) is first is not threading.current_thread()
    assert helper.alive
    helper.end()
    first.join(10)
    assert not helper.alive


def test_work_goes_on_after_an_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that raises costs its thread, and the next one has another thread."""
    raised: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda caught: raised.append(caught.exc_type))
    helper = HelperThread()
    first = thread_of(helper)
    helper.run(fail)
    first.join(10)
    assert raised == [KeyError]
    assert thread_of(helper) is not first
    helper.end()
