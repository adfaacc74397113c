"""Files that survive a power cut: a file is replaced as a whole or not at all."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, parts: Iterable[bytes]) -> None:
    """Replace `path` by a file of these parts that only its owner can read; its directory must exist.

    The parts go to `NAME.new`, which has mode 0600 from the start, and which is removed if anything fails:
    then the old file stays. A symbolic link is replaced, not followed. The directory is synced too:
    otherwise the rename may not be on the disk (fsync(2)). Raises OSError.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        _write_file(fresh, parts)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
    _sync_directory(path.parent)


def _write_file(path: Path, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    """Write the names in a directory to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, wait: Callable[[], None] = lambda: None) -> None:
    """Write every byte: write(2) may write fewer, as to a pipe. `wait` is called before each write.

    Raises OSError.
    """
    rest = memoryview(data)
    while rest:
        wait()
        rest = rest[os.write(descriptor, rest) :]
