"""A real browser without a window: Debian's chromium-headless-shell. It reaches nothing but 127.0.0.1."""

import os
import shutil
import signal
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PROGRAM = "chromium-headless-shell"
_SECONDS = 120
# No sandbox for root, as in CI; no name is resolved, so no other machine is asked.
_OPTIONS = (
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--enable-logging=stderr",
    "--hide-scrollbars",
)
_DARK = "--blink-settings=preferredColorScheme=0"
_LIGHT = "--blink-settings=preferredColorScheme=1"


class Shown(NamedTuple):
    """What a browser made of a page: its document as HTML, and what it complained about."""

    document: str
    complaints: list[str]


class Browser(NamedTuple):
    """A browser with a profile of its own."""

    profile: Path

    def show(self, url: str, *options: str) -> Shown:
        """Load a page and return its document after all that it loads."""
        done = self._run("--dump-dom", *options, url)
        return Shown(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])

    def picture(self, url: str, path: Path, size: tuple[int, int], *, dark: bool = False) -> None:
        """Write a PNG of a page in a window of this width and height."""
        window = f"--window-size={size[0]},{size[1]}"
        self._run(f"--screenshot={path}", window, _DARK if dark else _LIGHT, url)

    def print(self, url: str, path: Path) -> None:
        """Write the PDF that a printer would get."""
        self._run(f"--print-to-pdf={path}", url)

    @contextmanager
    def open(self, url: str) -> Iterator[None]:
        """Keep a page open."""
        command = self._command("--remote-debugging-port=0", url)
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
        ) as program:
            try:
                yield
            finally:
                # Debian's program is a script, and the browser its child.
                os.killpg(program.pid, signal.SIGTERM)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*words), capture_output=True, text=True, check=True, timeout=_SECONDS
        )

    def _command(self, *words: str) -> list[str]:
        assert shutil.which(PROGRAM), f"install it: apt-get install {PROGRAM}"
        return [PROGRAM, *_OPTIONS, f"--user-data-dir={self.profile}", *words]


def corner(path: Path) -> tuple[int, ...]:
    """Return the colour in the upper left corner of a PNG with 8 bits for each of red, green and blue.

    No filter changes the first bytes of the first line (PNG, 9.2).
    """
    data = path.read_bytes()
    chunks, at = b"", 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            chunks += data[at + 8 : at + 8 + length]
        at += 12 + length
    return tuple(zlib.decompressobj().decompress(chunks, 4)[1:4])
