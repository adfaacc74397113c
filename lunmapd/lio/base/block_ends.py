"""Reading the first and the last block of a file or block device, past the page cache where that is possible.

LIO has the device open for itself (O_EXCL), which does not exclude readers.
"""

import errno
import mmap
import os

from lunmapd.core.base.backing_read import BackingRead

_FLAGS = os.O_RDONLY | os.O_CLOEXEC


def read_ends(read: BackingRead) -> str:
    """Return the error of reading the first and the last block, "" without one.

    A path that leads to another device by now gives no error: the next observation finds that.
    """
    # Without O_NONBLOCK the open of a device may wait for a medium; with it, that of a file refuses leases.
    flags = _FLAGS | os.O_NONBLOCK if read.numbers else _FLAGS
    number, text = _read_ends(read, flags | os.O_DIRECT)
    if number == errno.EINVAL:  # the file system can't read directly, or not in such blocks (open(2))
        _, text = _read_ends(read, flags)
    return text


def _read_ends(read: BackingRead, flags: int) -> tuple[int, str]:
    """Return the number of the error and a text, (0, "") without an error."""
    try:
        descriptor = os.open(read.path, flags)
    except OSError as error:
        return error.errno or 0, f"open: {error.strerror}"
    try:
        if read.numbers and _numbers(descriptor) != read.numbers:
            return 0, ""
        found = _read(descriptor, 0, read.block, flags)
        what = "first"
        if found is None:
            found, what = _read(descriptor, read.last, read.block, flags), "last"
    finally:
        os.close(descriptor)
    return (0, "") if found is None else (found.errno or 0, f"{what} block: {found.strerror}")


def _read(descriptor: int, offset: int, length: int, flags: int) -> OSError | None:
    """Read one block into memory that is aligned to a page; return the error, also if nothing is there."""
    try:
        if not flags & os.O_DIRECT:
            os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
        with mmap.mmap(-1, length) as memory, memoryview(memory) as view:
            if os.preadv(descriptor, [view], offset):
                return None
    except OSError as error:
        return error
    return OSError(errno.EIO, "the end comes before it")


def _numbers(descriptor: int) -> str:
    device = os.fstat(descriptor).st_rdev
    return f"{os.major(device)}:{os.minor(device)}"
