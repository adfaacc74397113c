"""A program on a terminal of its own, and the screen that it draws there."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyte

from lab.wait import PATIENCE

RUN = "from lunmapd.service.ctl import main; main()"
"""The installed program, for Python."""
_KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
"""The signals of keys, which a shell ignores for what it runs in the background."""


class ScreenError(AssertionError):
    """The screen did not come to show what was waited for."""


class Terminal:
    """The master's side of a pseudo-terminal, and its screen."""

    def __init__(self, pid: int, master: int, rows: int, columns: int) -> None:
        self.pid = pid
        self._master = master
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._status: int | None = None

    @property
    def lines(self) -> list[str]:
        """The lines of the screen, without the spaces at their ends."""
        return [line.rstrip() for line in self._screen.display]

    def styled(self, text: str) -> str:
        """Return the colour of the first character of a text on the screen."""
        (row,) = [number for number, line in enumerate(self.lines) if text in line][:1]
        return str(self._screen.buffer[row][self.lines[row].index(text)].fg)

    def type(self, keys: str) -> None:
        """Send keys."""
        os.write(self._master, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, of which its programs get SIGWINCH."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, *texts: str, without: str = "") -> list[str]:
        """Wait until the screen has these texts, and return its lines. Raises ScreenError."""
        until = time.monotonic() + PATIENCE
        while True:
            shown = "\n".join(self.lines)
            if all(text in shown for text in texts) and not (without and without in shown):
                return self.lines
            left = until - time.monotonic()
            if left <= 0 or not self._read(left):
                raise ScreenError(f"{texts} is not on the screen:\n{shown}")

    def wait_end(self) -> int:
        """Wait until the program ends, and return its exit status. Raises ScreenError."""
        until = time.monotonic() + PATIENCE
        while (left := until - time.monotonic()) > 0 and self._read(left):
            pass
        if self._status is None:
            self._status = self._exit_status(until)
        return self._status

    def _exit_status(self, until: float) -> int:
        process = os.pidfd_open(self.pid)
        try:
            ended, _, _ = select.select([process], [], [], max(0.0, until - time.monotonic()))
        finally:
            os.close(process)
        if not ended:
            raise ScreenError("the program did not end")
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def echoes(self) -> bool:
        """Return whether the terminal shows what is typed, as a shell needs it."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def close(self) -> None:
        """End the program, if it still runs, and the terminal."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.kill(self.pid, signal.SIGCONT)
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def _read(self, seconds: float) -> bool:
        """Take what the program writes within this time; False at its end or if there is nothing."""
        readable, _, _ = select.select([self._master], [], [], seconds)
        if not readable:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the last program has closed it
            return False
        self._stream.feed(data)
        return bool(data)


@contextmanager
def lunmapctl_on_terminal(
    words: Sequence[str],
    *,
    rows: int = 24,
    columns: int = 80,
    paper: int = 0,
    env: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run lunmapctl on a terminal of its own, as `program_on_terminal` does."""
    argv = [sys.executable, "-c", RUN, *words]
    with program_on_terminal(argv, rows=rows, columns=columns, paper=paper, env=env) as terminal:
        yield terminal


@contextmanager
def program_on_terminal(
    argv: Sequence[str],
    *,
    rows: int = 24,
    columns: int = 80,
    paper: int = 0,
    env: Mapping[str, str] | None = None,
) -> Iterator[Terminal]:
    """Run a program as the leader of a session on a terminal of its own.

    With `paper` the screen has as many columns, although the program is told of `columns`: a line that is too
    long is seen as such. No shell can continue the program, so that the kernel lets Ctrl-Z do nothing
    (setpgid(2), orphaned process groups).
    """
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **(env or {})}
    pid, master = pty.fork()
    if pid == 0:
        for number in _KEYS:
            signal.signal(number, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execve(argv[0], list(argv), environment)  # noqa: S606
    terminal = Terminal(pid, master, rows, paper or columns)
    try:
        yield terminal
    finally:
        terminal.close()
