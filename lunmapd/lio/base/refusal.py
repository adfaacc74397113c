"""Turning what the kernel and rtslib say into a reason for programs and a sentence for people."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.lio.base import rts

_IN_USE = (errno.EBUSY, errno.ENOTEMPTY)


class KernelRefusedError(Exception):
    """A step that was not done; carries the Failure."""

    def __init__(self, reason: Reason, message: str) -> None:
        """Build from the Failure's parts."""
        super().__init__(message)
        self.failure = Failure(reason, message)


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Raise RefusedError for an error inside; `what` says what was attempted, as in `create target x`."""
    try:
        yield
    except (OSError, rts.RtsError) as error:
        number = _errno(error)
        reason = Reason.IN_USE if number in _IN_USE else Reason.KERNEL_REFUSED
        raise KernelRefusedError(reason, f"could not {what}: {_text(error, number)}") from error


@contextmanager
def ignore_absent() -> Iterator[None]:
    """Let a deletion succeed whose object is not there any more."""
    try:
        yield
    except (FileNotFoundError, rts.NotInConfigfs):
        return


def _errno(error: BaseException | None) -> int | None:
    """Find the kernel's answer: rtslib wraps it, 2.1 without its text."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno
        error = error.__context__
    return None


def _text(error: Exception, number: int | None) -> str:
    words = str(error)
    meaning = os.strerror(number) if number else ""
    return words if meaning in words else f"{words} ({meaning})"
