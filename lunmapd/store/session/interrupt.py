"""What an interrupt (Ctrl-C) during work in several steps leaves behind."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_leaves(state: str) -> Iterator[None]:
    """Name the `state` that the work is left in, and the next step, in the text of a KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; {state}") from None
