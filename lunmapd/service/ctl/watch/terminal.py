"""The terminal of `status --watch`, by curses: keys, colours, and the end in any case.

curses is the one library for screens that is in Python itself, and imports in a millisecond (ADR 38). It
handles Ctrl-Z and the return from it; the change of the size is taken over here, since the loop waits for
more than keys.
"""

import curses
import locale
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from lunmapd.core.base.text import printable
from lunmapd.service.ctl.watch.view import MIN_COLUMNS, MIN_ROWS, Line, Size, Style

_NAMES = {
    curses.KEY_UP: "up",
    curses.KEY_DOWN: "down",
    curses.KEY_PPAGE: "pageup",
    curses.KEY_NPAGE: "pagedown",
    curses.KEY_HOME: "home",
    curses.KEY_END: "end",
    curses.KEY_ENTER: "enter",
    curses.KEY_BACKSPACE: "backspace",
    "\n": "enter",
    "\r": "enter",
    "\x1b": "escape",
    "\x7f": "backspace",
    "\b": "backspace",
}
_ESCAPE_DELAY = 25  # milliseconds in which the rest of a key's sequence comes


def is_capable() -> bool:
    """Return whether standard input and output are a terminal that can place text and has room for a list."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        curses.setupterm(fd=sys.stdout.fileno())
    except curses.error:
        return False
    size = os.get_terminal_size(sys.stdout.fileno())
    return bool(curses.tigetstr("cup")) and size.lines >= MIN_ROWS and size.columns >= MIN_COLUMNS


class Terminal(NamedTuple):
    """The open screen. `wake` may be written to by any thread; `_woken` is its other end."""

    window: curses.window
    wake: Callable[[], None]
    woken: int
    styles: dict[Style, int]

    @property
    def size(self) -> Size:
        """The size of the screen; the last column stays empty, since a full last line would scroll."""
        rows, columns = self.window.getmaxyx()
        return Size(rows, columns - 1)

    def show(self, lines: list[Line]) -> None:
        """Show these lines and nothing else."""
        self.window.erase()
        for row, line in enumerate(lines):
            # A screen that has just become smaller takes no text outside of it.
            with suppress(curses.error):
                self.window.addstr(row, 0, _encodable(line.text), self.styles[line.style])
        self.window.refresh()

    def wait(self) -> Iterator[str]:
        """Wait for keys, a wake-up or another size; yield the keys, none if it was something else."""
        readable, _, _ = select.select([sys.stdin.fileno(), self.woken], [], [])
        if self.woken in readable:
            os.read(self.woken, 4096)
            self._resize()
        while True:
            try:
                key = self.window.get_wch()
            except curses.error:
                return
            name = _NAMES.get(key, key)
            if isinstance(name, str) and (len(name) > 1 or name.isprintable()):
                yield name

    def _resize(self) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        if curses.is_term_resized(size.lines, size.columns):
            curses.resizeterm(size.lines, size.columns)
            self.window.clear()


def _encodable(text: str) -> str:
    """Return a text of which each character is printable and is in the terminal's character set."""
    encoding = locale.nl_langinfo(locale.CODESET)
    return printable(text).encode(encoding, "replace").decode(encoding)


@contextmanager
def open_terminal(colour: bool) -> Iterator[Terminal]:
    """Open the screen, and give the terminal back as it was in any case."""
    locale.setlocale(locale.LC_ALL, "")
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    before = signal.getsignal(signal.SIGWINCH)

    def wake(*_: object) -> None:
        with suppress(OSError):
            os.write(waking, b"w")

    signal.signal(signal.SIGWINCH, wake)
    window = curses.initscr()
    try:
        yield Terminal(_prepared(window), wake, woken, _styles(colour=colour))
    finally:
        curses.endwin()
        signal.signal(signal.SIGWINCH, before)
        os.close(woken)
        os.close(waking)


def _prepared(window: curses.window) -> curses.window:
    curses.noecho()
    curses.cbreak()
    curses.set_escdelay(_ESCAPE_DELAY)
    window.keypad(True)  # noqa: FBT003 - curses takes it by its place
    window.nodelay(True)  # noqa: FBT003 - as above
    with suppress(curses.error):
        curses.curs_set(0)
    return window


def _styles(*, colour: bool) -> dict[Style, int]:
    styles = {
        Style.PLAIN: curses.A_NORMAL,
        Style.TITLE: curses.A_BOLD,
        Style.BAD: curses.A_BOLD,
        Style.SELECTED: curses.A_REVERSE,
    }
    if colour:
        with suppress(curses.error):
            curses.start_color()
            curses.use_default_colors()
            curses.init_pair(1, curses.COLOR_RED, -1)
            styles[Style.BAD] |= curses.color_pair(1)
    return styles
