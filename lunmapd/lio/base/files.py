"""Reading and writing configfs with as few system calls as possible: each file fits into one read.

A file or directory that is absent, or vanishes while it is read (ENOENT, ENODEV, ENOTDIR), counts as empty.
All functions raise OSError for other errors.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_PAGE = 4096  # configfs attributes are at most one page
_LINKS_WITH_ONE_CHILD = 3  # the directory's name, its ".", and the ".." of its child
_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENOTDIR)


def read_file(path: str) -> str | None:
    """Return a file's text, stripped; None if the file is absent."""
    directory, _, name = path.rpartition("/")
    return read_files(directory, (name,)).get(name)


def read_files(directory: str, names: Iterable[str]) -> dict[str, str]:
    """Return file name to text, stripped, of files below a directory; absent files are left out."""
    texts: dict[str, str] = {}
    descriptors: list[int] = []
    try:
        for name in names:
            try:
                descriptors.append(os.open(f"{directory}/{name}", os.O_RDONLY))
                texts[name] = os.read(descriptors[-1], _PAGE).decode(errors="replace").strip()
            except OSError as error:
                _raise_unless_absent(error)
    finally:
        _close(descriptors)
    return texts


def write_file(path: str, text: str) -> None:
    """Write a file in one write(2), as configfs requires. Raises OSError."""
    directory, _, name = path.rpartition("/")
    write_files(directory, {name: text})


def write_files(directory: str, texts: Mapping[str, str]) -> None:
    """Write `texts`, file name to text, below a directory, in this order, each in one write(2).

    Raises OSError with the file's name at the first write that the kernel refuses; the files after it are not
    written.
    """
    descriptors: list[int] = []
    try:
        for name, text in texts.items():
            descriptors.append(os.open(f"{directory}/{name}", os.O_WRONLY))
            _write(descriptors[-1], text, f"{directory}/{name}")
    finally:
        _close(descriptors)


def _write(descriptor: int, text: str, path: str) -> None:
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        error.filename = path
        raise


def _close(descriptors: Sequence[int]) -> None:
    """Close the descriptors, in one system call if their numbers are consecutive."""
    for first in descriptors[:1]:
        end = first + len(descriptors)
        if list(range(first, end)) == descriptors:
            os.closerange(first, end)
            return
    for descriptor in descriptors:
        os.close(descriptor)


def list_writable(directory: str) -> list[str]:
    """Return the names of the files of a directory that can be written and read, sorted."""
    try:
        with os.scandir(directory) as entries:
            modes = {entry.name: entry.stat(follow_symlinks=False).st_mode for entry in entries}
    except OSError as error:
        _raise_unless_absent(error)
        return []
    both = stat.S_IWUSR | stat.S_IRUSR
    return sorted(name for name, mode in modes.items() if stat.S_ISREG(mode) and mode & both == both)


def is_directory(path: str) -> bool:
    """Return whether the directory exists."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        _raise_unless_absent(error)
        return False


def inode_of(path: str) -> int | None:
    """Return the inode number of a file or directory, None if it is absent."""
    try:
        return os.lstat(path).st_ino
    except OSError as error:
        _raise_unless_absent(error)
        return None


def has_one_directory(path: str) -> bool:
    """Return whether a directory has exactly one subdirectory, by its link count.

    Source: configfs_create_dir in fs/configfs/dir.c.
    """
    try:
        return os.lstat(path).st_nlink == _LINKS_WITH_ONE_CHILD
    except OSError as error:
        _raise_unless_absent(error)
        return False


def list_directories(path: str) -> list[str]:
    """Return the names of the subdirectories of a directory; none if it is absent."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        _raise_unless_absent(error)
        return []


def read_link(path: str, usual: str) -> str | None:
    """Return the target of the symlink in a directory, None if it has none.

    `usual` is the name that is tried first.
    """
    try:
        return os.readlink(f"{path}/{usual}")  # noqa: PTH115
    except OSError as error:
        _raise_unless_absent(error)
        return next(iter(_links(path).values()), None)


def links_to(path: Path, end: str) -> bool:
    """Return whether `path` is a symlink whose target ends so."""
    try:
        return os.readlink(path).endswith(end)  # noqa: PTH115 - the text is compared
    except OSError:
        return False


def remove_link(path: str) -> None:
    """Remove a symlink; an absent one counts as removed."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError as error:
        _raise_unless_absent(error)


def remove_directory(path: str) -> None:
    """Remove an empty directory; an absent one counts as removed."""
    try:
        os.rmdir(path)  # noqa: PTH106
    except OSError as error:
        _raise_unless_absent(error)


def remove_linked_directory(path: str, usual: str) -> None:
    """Remove the symlinks in a configfs directory, then the directory; what is absent counts as removed.

    `usual` is the name that is tried first, which saves a listing. A directory with another symlink can't be
    removed (ENOTEMPTY by configfs_detach_prep in fs/configfs/dir.c).
    """
    remove_link(f"{path}/{usual}")
    try:
        remove_directory(path)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        for name in _links(path):
            remove_link(f"{path}/{name}")
        remove_directory(path)


def _links(path: str) -> dict[str, str]:
    try:
        with os.scandir(path) as entries:
            links = [entry for entry in entries if entry.is_symlink()]
            return {entry.name: os.readlink(entry.path) for entry in links}  # noqa: PTH115
    except OSError as error:
        _raise_unless_absent(error)
        return {}


def _raise_unless_absent(error: OSError) -> None:
    if error.errno not in _ABSENT:
        raise error
