"""Reading configfs with as few system calls as it takes: every file is small and comes in one read.

What is absent, or vanishes while it is read (ENOENT, ENODEV), gives nothing; other errors are raised as OSError.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PAGE = 4096  # configfs attributes are at most one page
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)


def read(path: str) -> str | None:
    """Return a file's text, stripped; None where it is absent."""
    with _absent_is_nothing():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, _PAGE).decode(errors="replace").strip()
        finally:
            os.close(descriptor)
    return None


def directories(path: str) -> list[str]:
    """Return the names of the directories in a directory; none where it is absent."""
    with _absent_is_nothing(), os.scandir(path) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def links(path: str) -> dict[str, str]:
    """Return the symbolic links in a directory, name to destination; none where it is absent."""
    with _absent_is_nothing(), os.scandir(path) as entries:
        return {entry.name: os.readlink(entry.path) for entry in entries if entry.is_symlink()}  # noqa: PTH115
    return {}


def remove(path: Path) -> None:
    """Remove a configfs directory, first the symlinks in it."""
    for name in links(str(path)):
        (path / name).unlink(missing_ok=True)
    with _absent_is_nothing():
        path.rmdir()


@contextmanager
def _absent_is_nothing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
