"""A clock that a test sets, in place of functions that return the time."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Returns `now`, in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now
