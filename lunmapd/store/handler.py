"""kazoo's thread handler, made to tell whether its threads are alive."""

import threading
from collections.abc import Callable
from typing import Any

from kazoo.handlers.threading import SequentialThreadingHandler


class WatchedHandler(SequentialThreadingHandler):
    """Remembers the threads that kazoo starts: the connection and two workers. Any that ended is a dead client."""

    def __init__(self) -> None:
        super().__init__()
        self._spawned: list[threading.Thread] = []

    def spawn(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Start a thread (kazoo.interfaces.IHandler)."""
        thread = super().spawn(func, *args, **kwargs)
        self._spawned.append(thread)
        return thread

    def alive(self) -> bool:
        """Whether every thread still runs."""
        return all(thread.is_alive() for thread in self._spawned)
