"""From errors of the kernel and of rtslib to failures with a reason and a message."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.lio.base import rts

_IN_USE = (errno.EBUSY, errno.ENOTEMPTY)
_HBA = re.compile(r"(?<=/core/)(\w+)_\d+(?=/)")


class KernelRefusedError(Exception):
    """The kernel, rtslib or a check before them refused a step; `failure` has the reason and the message.

    The message names a file of a storage object without the number of its HBA. Each attempt to create the
    object takes another HBA, and with its number each one would change the status of the node.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        """Build the Failure of `reason` and `message`."""
        stable = _HBA.sub(r"\1_*", message)
        super().__init__(stable)
        self.failure = Failure(reason, stable)


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Raise KernelRefusedError in place of an OSError or RtsError.

    `what` names the attempt for the message: "could not create target x: ...".
    """
    try:
        yield
    except (OSError, rts.RtsError) as error:
        number = _errno(error)
        reason = Reason.IN_USE if number in _IN_USE else Reason.KERNEL_REFUSED
        raise KernelRefusedError(reason, f"could not {what}: {_text(error, number)}") from error


@contextmanager
def ignore_absent() -> Iterator[None]:
    """Treat the deletion of an absent object as done."""
    try:
        yield
    except (FileNotFoundError, rts.NotInConfigfs):
        return


def _errno(error: BaseException | None) -> int | None:
    """Return the kernel's errno, which rtslib wraps (2.1 without its text); None if there is none."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno
        error = error.__context__
    return None


def _text(error: Exception, number: int | None) -> str:
    text = str(error)
    meaning = os.strerror(number) if number else ""
    return text if meaning in text else f"{text} ({meaning})"
