"""The daemon's side of the process that reads exported files and devices."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lunmapd.core.base.backing_read import BackingRead
from lunmapd.files import write_all
from lunmapd.lio.worker.reader import ReadAnswer, decode_read_answer, encode_line

# -P: no module is imported from the working directory.
READER_COMMAND = (sys.executable, "-P", "-m", "lunmapd.lio.worker.reader")
_CHUNK = 1 << 16  # what a pipe holds
_ENDED = (b"Z", b"X")  # the states of a thread that has ended
_END = 1.0  # seconds; a process without a read under way dies of SIGKILL at once


class ReaderGoneError(Exception):
    """The process has ended."""

    def __init__(self) -> None:
        """Build the message."""
        super().__init__("the process that reads them has ended")


class ReaderProcess:
    """One process that reads."""

    def __init__(self, command: Sequence[str] = READER_COMMAND) -> None:
        """Start the process in its own process group. Raises OSError."""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
        )
        assert self._process.stdin is not None, "it is a pipe"
        assert self._process.stdout is not None, "it is a pipe"
        self._input, self._output = self._process.stdin, self._process.stdout
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there are answers."""
        return self._output.fileno()

    def is_running(self) -> bool:
        """Return whether the process has not ended, which the end of its answers does not always show.

        SIGKILL does not end a thread in state D. It keeps the pipes open, and before it has ended the parent
        can't wait for the process (delay_group_leader in kernel/exit.c), nor is a pidfd readable (pidfd_poll
        in fs/pidfs.c). But the first thread is a zombie by then (proc_pid_stat(5)).
        """
        try:
            status = Path(f"/proc/{self._process.pid}/stat").read_bytes()
        except OSError:
            return False
        return status.rpartition(b")")[2].split()[0] not in _ENDED

    def begin(self, reads: Iterable[BackingRead]) -> None:
        """Let the process begin the reads. Raises ReaderGoneError."""
        try:
            write_all(self._input.fileno(), b"".join(encode_line(read) + b"\n" for read in reads))
        except BrokenPipeError:
            raise ReaderGoneError from None

    def answers(self) -> list[ReadAnswer]:
        """Return the answers that have come; wait for one if there is none. Raises ReaderGoneError."""
        data = os.read(self._output.fileno(), _CHUNK)
        if not data:
            raise ReaderGoneError
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [decode_read_answer(line) for line in lines]

    def close(self) -> None:
        """End the process; one whose reads have no answer ends with them."""
        self._process.kill()
        self._input.close()
        self._output.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END)
