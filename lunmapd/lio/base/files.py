"""Reading and writing configfs with as few system calls as it takes: every file is small and comes in one read.

What is absent, or vanishes while it is read (ENOENT, ENODEV), gives nothing; other errors are raised as OSError.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_PAGE = 4096  # configfs attributes are at most one page
_LINKS_OF_ONE = 3  # its name, its own ".", and the ".." of the one in it
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)


def read_file(path: str) -> str | None:
    """Return a file's text, stripped; None where it is absent."""
    directory, _, name = path.rpartition("/")
    return read_files(directory, (name,)).get(name)


def read_files(directory: str, names: Iterable[str]) -> dict[str, str]:
    """Return the text of each of these files below a directory, stripped; absent ones are left out."""
    found: dict[str, str] = {}
    descriptors: list[int] = []
    try:
        for name in names:
            try:
                descriptors.append(os.open(f"{directory}/{name}", os.O_RDONLY))
                found[name] = os.read(descriptors[-1], _PAGE).decode(errors="replace").strip()
            except OSError as error:
                _raise_unless_absent(error)
    finally:
        _close(descriptors)
    return found


def write_file(path: str, text: str) -> None:
    """Write a file in one go, as configfs wants it. Raises OSError."""
    directory, _, name = path.rpartition("/")
    write_files(directory, {name: text})


def write_files(directory: str, texts: Mapping[str, str]) -> None:
    """Write files below a directory in this order, each in one go. Raises OSError at the first one that is refused."""
    descriptors: list[int] = []
    try:
        for name, text in texts.items():
            descriptors.append(os.open(f"{directory}/{name}", os.O_WRONLY))
            os.write(descriptors[-1], text.encode())
    finally:
        _close(descriptors)


def _close(descriptors: Sequence[int]) -> None:
    """Close them, in one call where they are in a row: then all between the first and the last are among them."""
    for first in descriptors[:1]:
        end = first + len(descriptors)
        if list(range(first, end)) == descriptors:
            os.closerange(first, end)
            return
    for descriptor in descriptors:
        os.close(descriptor)


def is_directory(path: str) -> bool:
    """Tell whether there is such a directory."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        _raise_unless_absent(error)
        return False


def has_one_directory(path: str) -> bool:
    """Tell whether a directory has exactly one in it, by its link count (configfs_create_dir in fs/configfs/dir.c)."""
    try:
        return os.lstat(path).st_nlink == _LINKS_OF_ONE
    except OSError as error:
        _raise_unless_absent(error)
        return False


def list_directories(path: str) -> list[str]:
    """Return the names of the directories in a directory; none where it is absent."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        _raise_unless_absent(error)
        return []


def read_link(path: str, usual: str) -> str | None:
    """Return where the link in a directory points to, None if there is none. `usual` is the name to try first."""
    try:
        return os.readlink(f"{path}/{usual}")  # noqa: PTH115
    except OSError as error:
        _raise_unless_absent(error)
        return next(iter(_links(path).values()), None)


def remove_directory(path: Path) -> None:
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
