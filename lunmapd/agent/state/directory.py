"""The state directory: the files that survive a restart, used by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lunmapd.core.base.errors import LunmapdError


class StateDirectoryError(LunmapdError):
    """The state directory can't be used."""


@contextmanager
def state_directory(path: Path) -> Iterator[Path]:
    """Make the directory if it is missing, and lock it against other lunmapd processes.

    Raises StateDirectoryError.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StateDirectoryError(f"can't use {path} as state_dir: {error}") from error
    try:
        _lock(handle, path)
        yield path
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StateDirectoryError(
            f"another lunmapd uses {path}: stop it first, or set another state_dir"
        ) from error
