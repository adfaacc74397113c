"""Reading and writing configfs with as few system calls as it takes: every file is small and comes in one read.

What is absent, or vanishes while it is read (ENOENT, ENODEV), gives nothing; other errors are raised as OSError.
"""

import errno
import os
import stat
from pathlib import Path

_PAGE = 4096  # configfs attributes are at most one page
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)


def read(path: str) -> str | None:
    """Return a file's text, stripped; None where it is absent."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, _PAGE).decode(errors="replace").strip()
        finally:
            os.close(descriptor)
    except OSError as error:
        _raise_unless_absent(error)
        return None


def write(path: str, text: str) -> None:
    """Write a file in one go, as configfs wants it. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def is_directory(path: str) -> bool:
    """Tell whether there is such a directory."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        _raise_unless_absent(error)
        return False


def directories(path: str) -> list[str]:
    """Return the names of the directories in a directory; none where it is absent."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        _raise_unless_absent(error)
        return []


def link(path: str, usual: str) -> str | None:
    """Return where the link in a directory points to, None if there is none. `usual` is the name to try first."""
    try:
        return os.readlink(f"{path}/{usual}")  # noqa: PTH115
    except OSError as error:
        _raise_unless_absent(error)
        return next(iter(_links(path).values()), None)


def remove(path: Path) -> None:
    """Remove a configfs directory, first the symlinks in it."""
    for name in _links(str(path)):
        (path / name).unlink(missing_ok=True)
    try:
        path.rmdir()
    except OSError as error:
        _raise_unless_absent(error)


def _links(path: str) -> dict[str, str]:
    try:
        with os.scandir(path) as entries:
            return {entry.name: os.readlink(entry.path) for entry in entries if entry.is_symlink()}  # noqa: PTH115
    except OSError as error:
        _raise_unless_absent(error)
        return {}


def _raise_unless_absent(error: OSError) -> None:
    if error.errno not in _ABSENT:
        raise error
