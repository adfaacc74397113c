"""The root of all errors, and the exit codes. It imports no library, so that a command line starts fast."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command lines; documented in docs/exit-codes.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    CONFLICT = 4
    UNREACHABLE = 5
    DEGRADED = 6
    UNUSABLE = 7
    INTERRUPTED = 130


class LunmapdError(Exception):
    """Root of every error that lunmapd raises on purpose; its text is a message for the admin."""

    exit_code = Exit.FAILED

    @property
    def lines(self) -> tuple[str, ...]:
        """The message as lines to print; a newline in a text that it quotes does not end a line."""
        return (str(self),)
