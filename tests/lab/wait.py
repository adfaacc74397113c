"""Waiting for a condition with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from lab.errors import StartFailed

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds after which the lab gives up; on an idle machine what it waits for takes a few, on a busy one many."""


def wait_for(look: Callable[[], T], wanted: Callable[[T], bool], seconds: float, what: str) -> T:
    """Return what `look` returns as soon as `wanted` accepts it. Raises StartFailed with the last look after `seconds`."""
    deadline = time.monotonic() + seconds
    while not wanted(seen := look()):
        if time.monotonic() > deadline:
            raise StartFailed(f"{what}: not as expected within {seconds:g} s; last seen: {seen}")
        time.sleep(0.05)
    return seen
