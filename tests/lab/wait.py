"""Waiting for a condition with a deadline: for all tests, and for the lab itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from lab.errors import WaitTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds after which a wait gives up. On an idle machine it takes a few of them, on a busy one many."""
_POLL = 0.05


def wait_for(what: str, look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = PATIENCE) -> T:
    """Return what `look` returns as soon as `wanted` accepts it.

    Raises WaitTimeout after `seconds`, with `what` was awaited and the last value of `look`.
    """
    deadline = time.monotonic() + seconds
    while not wanted(seen := look()):
        if time.monotonic() > deadline:
            raise WaitTimeout(what, seconds, seen)
        time.sleep(_POLL)
    return seen


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as `holds()` is true. Raises WaitTimeout, which names `what` was awaited."""
    wait_for(what, holds, bool, seconds)
