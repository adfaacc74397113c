"""A thread beside the daemon's loop, as long as a context lasts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def running(
    run: Callable[[], object], stop: Callable[[], object], name: str, patience: float | None = None
) -> Iterator[None]:
    """Call `run` in a thread of this name, and at the end `stop`; then wait for the thread.

    After `patience` seconds, None for no limit, the thread is left to the end of the process.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(patience)
