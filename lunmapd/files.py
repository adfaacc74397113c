"""Files of the node's own disk: replaced as a whole or not at all, and read without waiting."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

MAX_FILE_SIZE = 1 << 28
"""The largest file that is read, in bytes, unless a caller has a smaller limit."""
_CHUNK = 1 << 16


def read_regular(path: Path, limit: int = MAX_FILE_SIZE) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Anything else under that name is refused, since reading a FIFO or a device may never end. O_NONBLOCK keeps
    open(2) itself from waiting for the other end of a FIFO; for a regular file it has no effect.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _check_regular(path, os.fstat(descriptor), limit)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return b"".join(_chunks(file, limit))
    finally:
        os.close(descriptor)


def _chunks(file: BufferedReader, limit: int) -> Iterator[bytes]:
    """Yield the first `limit` bytes of a file. read(limit) would allocate as much memory for any file."""
    while limit > 0 and (chunk := file.read(min(limit, _CHUNK))):
        limit -= len(chunk)
        yield chunk


def _check_regular(path: Path, status: os.stat_result, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if status.st_size > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))


def replace_file(path: Path, parts: Iterable[bytes], like: os.stat_result | None = None) -> None:
    """Replace `path` by a file of these parts that only its owner can read; its directory must exist.

    With `like` the file gets that mode, and that owner and group as far as the process may give it away. The
    parts go to `NAME.new`, which has mode 0600 from the start, and which is removed if anything fails: then
    the old file stays. A symbolic link is replaced, not followed. The directory is synced too: otherwise the
    rename may not be on the disk (fsync(2)). Raises OSError.
    """
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        _write_file(fresh, parts, like)
        fresh.replace(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise
    _sync_directory(path.parent)


def replace_named_file(path: Path, parts: Iterable[bytes]) -> None:
    """Replace a file that a user names, as `replace_file` does; refuse a device, a FIFO, or a link to one.

    Root would replace a device such as /dev/stdout for every program. In the state directory such a file is
    an error, and `replace_file` mends it. Raises OSError.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    replace_file(path, parts)


def create_private(path: Path, data: bytes) -> None:
    """Create a file that only its owner can read. Raises OSError, FileExistsError if the name is taken."""
    _write_file(path, (data,), None)
    _sync_directory(path.parent)


def show_os_error(path: Path, error: OSError) -> str:
    """Return why a file can't be read or written, without the number of the error."""
    return f"{path}: {(error.strerror or str(error)).lower()}"


def _write_file(path: Path, parts: Iterable[bytes], like: os.stat_result | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        if like is not None:
            _make_like(descriptor, like)
        os.fsync(descriptor)


def _make_like(descriptor: int, like: os.stat_result) -> None:
    for owner, group in ((-1, like.st_gid), (like.st_uid, -1)):
        with suppress(PermissionError):
            os.fchown(descriptor, owner, group)
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _sync_directory(path: Path) -> None:
    """Write the names in a directory to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes, wait: Callable[[], None] | None = None) -> None:
    """Write every byte: write(2) may write fewer, as to a pipe.

    `wait` is called while a descriptor that does not block accepts nothing; None: that is an error. Raises
    OSError.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if wait is None:
                raise
            wait()
