"""Errors that no cycle expects: a bug of lunmapd or of a library is a condition, not the end of the daemon.

Systemd would start the daemon again, it would meet the same state and end again, and the status would say
nothing of it. So only what is no `Exception`, such as a signal's KeyboardInterrupt, and a lack of memory end
the process: a new process needs less memory, and no other error is mended by a restart alone.
"""

import logging
import traceback
from collections.abc import Iterator

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.store.session.errors import TreeError

_log = logging.getLogger(__name__)

ENDS_THE_PROCESS: tuple[type[Exception], ...] = (MemoryError,)
"""The exceptions that no cycle survives."""

_FRAMES = 20
_MAX_LINE = 300  # characters, since a text may quote anything


class UnexpectedError(ConditionError, reason=Reason.INTERNAL):
    """A cycle met an error that lunmapd does not expect. LIO stays as the last step left it."""


class UnexpectedReadError(TreeError, reason=Reason.INTERNAL):
    """Reading the tree met an error that lunmapd does not expect. The last map that was read is followed."""


class UnexpectedLog:
    """Logs each unexpected error once, though it may come back with each cycle."""

    def __init__(self) -> None:
        """Start with nothing logged."""
        self._last: tuple[str, ...] = ()

    def record(self, error: Exception) -> str:
        """Log the error, and return what a condition says of it. Raises the error if it ends the process."""
        if isinstance(error, ENDS_THE_PROCESS):
            raise error
        lines = tuple(_traceback_lines(error))
        if lines != self._last:
            for line in lines:
                _log.error("unexpected error: %s", line, extra=journal_fields(Message.UNEXPECTED))
        self._last = lines
        return _describe(error)


def _describe(error: Exception) -> str:
    """Return the type and the place of an error, but not its text: others may read the status."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return (
        f"{type(error).__name__}{place}, a bug of lunmapd or of a library: the next cycle tries again; "
        "please report the traceback in the journal"
    )


def _traceback_lines(error: Exception) -> Iterator[str]:
    """Yield the innermost frames of an error, and its text; each line is bounded."""
    for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]:
        yield f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line}"[:_MAX_LINE]
    yield f"{type(error).__name__}: {error}"[:_MAX_LINE].replace("\n", " ")
