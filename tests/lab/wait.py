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

    Raises WaitTimeout after `seconds`, with `what` was awaited and the last value of `look`. The longer it
    waits, the less often it looks: many looks are commands in a machine, and take the processor from it.
    """
    began = time.monotonic()
    while not wanted(seen := look()):
        waited = time.monotonic() - began
        if waited > seconds:
            raise WaitTimeout(what, seconds, seen)
        time.sleep(min(max(_POLL, waited / 8), _LONGEST_POLL))
    return seen


def wait_until(what: str, holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return as soon as `holds()` is true. Raises WaitTimeout, which names `what` was awaited."""
    wait_for(what, holds, bool, seconds)
