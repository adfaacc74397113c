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
_LONGEST_POLL = 0.5


def wait_for(what: str, look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = PATIENCE) -> T:
    """Return what `look` returns as soon as `wanted` accepts it.

    Raises WaitTimeout after `seconds`, with `what` was awaited and the last value of `look`. Many looks are
    commands in a machine, and take the processor from it. So the longer it waits, the less often it looks,
    and it rests at least as long as a look takes.
    """
    began = looked = time.monotonic()
    while not wanted(seen := look()):
        now = time.monotonic()
        if now - began > seconds:
            raise WaitTimeout(what, seconds, seen)
        time.sleep(max(now - looked, min(max(_POLL, (now - began) / 8), _LONGEST_POLL)))
        looked = time.monotonic()
    return seen


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as `holds()` is true. Raises WaitTimeout, which names `what` was awaited."""
    wait_for(what, holds, bool, seconds)
