"""An append-only file of checked lines, which tells a torn end from damage.

Each line is the SHA-256 of the line before it (its hex digits) and of its own content, a space, the content, and a
newline. So a line that was changed, lost, doubled or moved shows, and what follows it is not believed either.
"""

import hashlib
import os
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError
from lunmapd.files import replace_file, write_all

_DIGITS = 64


class JournalDamagedError(LunmapdError):
    """The file holds something else than what was written to it."""


class Lines(Struct, frozen=True):
    """The good lines of a journal, how many bytes they take, and the digest that the next line continues."""

    contents: tuple[bytes, ...] = ()
    size: int = 0
    digest: str = ""


def chain_digest(before: str, content: bytes) -> str:
    """Return the digest of a line that follows the one with the digest `before` (empty for the first)."""
    return hashlib.sha256(before.encode() + content).hexdigest()


def parse_journal(data: bytes) -> Lines:
    """Read the lines. A torn last one is left out: it has no newline, or holes (NUL bytes) where blocks are missing.

    Raises JournalDamagedError for anything else that is not as it was written.
    """
    contents: list[bytes] = []
    before, start = "", 0
    while start < len(data):
        end = data.find(b"\n", start)
        line = data[start:] if end < 0 else data[start:end]
        content = _content(before, line)
        if end < 0 or (content is None and end == len(data) - 1 and b"\0" in line):
            break
        if content is None:
            raise JournalDamagedError(f"line {len(contents) + 1} does not fit its digest")
        contents.append(content)
        before, start = line[:_DIGITS].decode(), end + 1
    return Lines(tuple(contents), start, before)


def _content(before: str, line: bytes) -> bytes | None:
    """Return the content of a line, None when it doesn't fit its digest."""
    content = line[_DIGITS + 1 :]
    return content if line[: _DIGITS + 1] == f"{chain_digest(before, content)} ".encode() else None


class Journal:
    """A journal in a file. Contents hold no newline. Every call raises OSError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        """Keep the journal in `path`; read or replace it first, its directory must exist."""
        self._path = path
        self._lines = Lines()

    @property
    def size(self) -> int:
        """How many bytes the good lines take."""
        return self._lines.size

    def read(self) -> tuple[bytes, ...]:
        """Return the contents; none when there is no file. Raises JournalDamagedError."""
        try:
            lines = parse_journal(self._path.read_bytes())
        except FileNotFoundError:
            return ()
        if not lines.contents:
            # The first line comes with the file, in one step, so it can't be torn.
            raise JournalDamagedError("the first line is cut off")
        self._lines = Lines((), lines.size, lines.digest)
        return lines.contents

    def append(self, content: bytes) -> None:
        """Add one line; it is on the disk when this returns, and what was torn before it is cut off."""
        line, digest = _line(self._lines.digest, content)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.ftruncate(handle, self._lines.size)
            write_all(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        self._lines = Lines((), self._lines.size + len(line), digest)

    def replace(self, content: bytes) -> None:
        """Begin anew with one line, in one step: after a crash either the old lines are there or the new one."""
        line, digest = _line("", content)
        replace_file(self._path, (line,))
        self._lines = Lines((), len(line), digest)


def _line(before: str, content: bytes) -> tuple[bytes, str]:
    assert b"\n" not in content, "a newline ends a line"
    digest = chain_digest(before, content)
    return f"{digest} ".encode() + content + b"\n", digest
