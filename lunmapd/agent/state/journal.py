"""An append-only file of lines with checksums, which distinguishes a torn end from damage.

A line is a digest, a space, the content, and a newline. The digest is the SHA-256 of the hex digits of the
line before and of the content. So a line that was changed, lost, doubled or moved is found, and all lines
after it are invalid.
"""

import hashlib
import os
from pathlib import Path

from msgspec import Struct

from lunmapd.core.base.errors import LunmapdError
from lunmapd.files import read_regular, replace_file, write_all

_DIGITS = 64


class JournalDamagedError(LunmapdError):
    """The file does not hold what was written to it."""


class Lines(Struct, frozen=True):
    """The valid lines of a journal: their contents, their size in bytes, and the digest of the last one."""

    contents: tuple[bytes, ...] = ()
    size: int = 0
    digest: str = ""


def chain_digest(before: str, content: bytes) -> str:
    """Return the digest of a line that follows the one with the digest `before` (empty for the first)."""
    return hashlib.sha256(before.encode() + content).hexdigest()


def parse_journal(data: bytes) -> Lines:
    """Return the valid lines.

    A torn last line is left out: without a newline, or with NUL bytes for missing blocks.

    Raises JournalDamagedError for any other difference to what was written.
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
    """A journal in a file. A content has no newline. Every call may raise OSError."""

    def __init__(self, path: Path) -> None:
        """Use the file `path`, whose directory exists; call `read` or `replace` first."""
        self._path = path
        self._lines = Lines()

    @property
    def size(self) -> int:
        """The size of the valid lines, in bytes."""
        return self._lines.size

    def read(self) -> tuple[bytes, ...]:
        """Return the contents of the valid lines; none if there is no file. Raises JournalDamagedError."""
        try:
            lines = parse_journal(read_regular(self._path))
        except FileNotFoundError:
            return ()
        if not lines.contents:
            # The file appears with its first line, by a rename, so that line can't be torn.
            raise JournalDamagedError("the first line is cut off")
        self._lines = Lines((), lines.size, lines.digest)
        return lines.contents

    def append(self, content: bytes) -> None:
        """Append a line, after cutting off a torn one; the line is on the disk when this returns."""
        line, digest = _line(self._lines.digest, content)
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        try:
            os.ftruncate(handle, self._lines.size)
            write_all(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        self._lines = Lines((), self._lines.size + len(line), digest)

    def replace(self, content: bytes) -> None:
        """Replace all lines by one, atomically: after a crash the file has the old lines or the new one."""
        line, digest = _line("", content)
        replace_file(self._path, (line,))
        self._lines = Lines((), len(line), digest)


def _line(before: str, content: bytes) -> tuple[bytes, str]:
    assert b"\n" not in content, "a newline ends a line"
    digest = chain_digest(before, content)
    return f"{digest} ".encode() + content + b"\n", digest
