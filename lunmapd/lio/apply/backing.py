"""Checks of a backing file or device before LIO opens it: the kernel would create a missing file."""

import errno
import os
import stat

from msgspec import Struct

from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_failures import block_size_problem, empty_device
from lunmapd.core.node.opening import OpenMode
from lunmapd.lio.base import rts
from lunmapd.lio.base.alias import OpenedBacking
from lunmapd.lio.base.block_devices import BlockDevice, list_holders, read_block_device, read_identity
from lunmapd.lio.base.index import KernelIndex
from lunmapd.lio.base.refusal import KernelRefusedError

_UNSEEN = "a mount, another target or another program"
_NOT_READY = {
    errno.ENOMEDIUM: "insert the medium",
    # drbd_open in drivers/block/drbd/drbd_main.c
    errno.EMEDIUMTYPE: "make this node primary (DRBD refuses to open the device of a secondary)",
}


class CheckedBacking(Struct, frozen=True):
    """A backing that LIO may open.

    `opened` is the record for the alias file. `numbers` are those of a block device, empty for other
    backings. With `read_only` LIO must open the device for reading only.
    """

    opened: OpenedBacking = OpenedBacking()
    numbers: str = ""
    read_only: bool = False


def check_backing(item: lio_objects.StorageObject, index: KernelIndex) -> CheckedBacking:
    """Return the backing if it exists, has the right kind, size and block size, and is free.

    The file of a fileio is recorded in `index`, so that no other storage object gets it. The backing of a
    tcmu handler (user) can't be checked here. Whether a SCSI device is free is checked by rtslib. Raises
    KernelRefusedError.
    """
    match item.plugin:
        case PluginName.FILEIO:
            return _check_file(item, _status(item.path), index)
        case PluginName.IBLOCK:
            return _check_device(item, _status(item.path))
        case PluginName.PSCSI:
            return _check_scsi(item.path, _status(item.path))
        case _:
            return CheckedBacking()


def check_opened(item: lio_objects.StorageObject, checked: CheckedBacking, numbers: str | None) -> None:
    """Check that LIO has opened the backing that was checked.

    `numbers` are those of the block device in the `info` of an iblock. Raises KernelRefusedError: another
    file or device came under the path in between.
    """
    same = numbers == checked.numbers
    if item.plugin == PluginName.FILEIO:
        same = _identity(_status(item.path)) == checked.opened.file
    if not same:
        raise KernelRefusedError(
            Reason.BACKING_REPLACED, f"{item.path} was replaced while it was opened; it is tried again"
        )


def presumed_backing(item: lio_objects.StorageObject, numbers: str) -> OpenedBacking:
    """Return the backing that another tool has opened, as far as it can be known.

    `numbers` are those of the block device in `info`, or "". The kernel shows only the path of a file, so the
    file that has the path now is presumed to be the opened one, if there is one.
    """
    try:
        status = os.stat(item.path)  # noqa: PTH116 - as in _status
    except OSError:
        status = None
    if item.plugin == PluginName.FILEIO:
        return OpenedBacking(file=_identity(status)) if status is not None else OpenedBacking()
    if item.plugin == PluginName.PSCSI and status is not None and stat.S_ISBLK(status.st_mode):
        return _opened_device(_numbers(status), recorded=True)
    return _opened_device(numbers) if numbers else OpenedBacking()


def _opened_device(numbers: str, *, recorded: bool = False) -> OpenedBacking:
    """Return the record of a block device; `recorded` if `info` does not show its numbers."""
    device = read_block_device(numbers)
    disk, size = ("", 0) if device is None else (device.disk, device.size)
    return OpenedBacking("", numbers if recorded else "", disk, read_identity(numbers), size)


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - one call, on a path that is a string everywhere
    except FileNotFoundError:
        raise KernelRefusedError(
            Reason.BACKING_MISSING,
            f"{path} {_absence(path)} on this node: create it, or give this node's path in 'overrides'",
        ) from None
    except OSError as error:
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} can't be used: {error.strerror}"
        ) from error


def _absence(path: str) -> str:
    return "is a symlink to nothing" if os.path.lexists(path) else "does not exist"


def _identity(status: os.stat_result) -> str:
    return f"{status.st_dev}:{status.st_ino}"


def _check_file(
    item: lio_objects.StorageObject, status: os.stat_result, index: KernelIndex
) -> CheckedBacking:
    if not stat.S_ISREG(status.st_mode):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{item.path} is not a regular file; give a device as type block"
        )
    if status.st_size < item.size:
        raise KernelRefusedError(
            Reason.SIZE_MISMATCH,
            f"{item.path} has {status.st_size} bytes, the Lun needs {item.size}: "
            "enlarge the file on this node first",
        )
    # Root passes permission bits, but not a read-only file system or an immutable file.
    if not os.access(item.path, os.W_OK):
        raise KernelRefusedError(
            Reason.BACKING_READ_ONLY,
            f"{item.path} can't be written, and LIO opens every file for writing: mount its file system "
            "writable, or serve it through a read-only loop device as type block, with 'access: ro' maps",
        )
    owner = index.files.take(_identity(status), item.name)
    if owner != item.name:
        raise KernelRefusedError(
            Reason.IN_USE,
            f"{item.path} is the file of Lun {owner} too: two Luns must not have the same data",
        )
    return CheckedBacking(OpenedBacking(file=_identity(status)))


def _check_scsi(path: str, status: os.stat_result) -> CheckedBacking:
    if stat.S_ISCHR(status.st_mode):
        return CheckedBacking()
    if not stat.S_ISBLK(status.st_mode):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a device: correct the path of the Lun's backing"
        )
    numbers = _numbers(status)
    device = read_block_device(numbers)
    if device is not None and device.read_only:
        raise KernelRefusedError(
            Reason.BACKING_READ_ONLY,
            f"{path} is read-only, and LIO opens SCSI devices for writing: make it writable, or give it as "
            "type block, with 'access: ro' maps",
        )
    return CheckedBacking(_opened_device(numbers, recorded=True))


def _numbers(status: os.stat_result) -> str:
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _check_device(item: lio_objects.StorageObject, status: os.stat_result) -> CheckedBacking:
    path, declared = item.path, item.declared.size
    if not stat.S_ISBLK(status.st_mode):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a block device; give a file as type fileio"
        )
    if not rts.is_disk(path):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a disk; give a SCSI device of another kind as type pscsi"
        )
    numbers = _numbers(status)
    size = _free_size(path, numbers)
    if not size:
        raise KernelRefusedError(Reason.BACKING_UNUSABLE, empty_device(path))
    if size < declared:
        raise KernelRefusedError(
            Reason.SIZE_MISMATCH,
            f"{path} has {size} bytes, the Lun needs {declared}: "
            "enlarge the device on this node first, or correct the size of the Lun",
        )
    device = read_block_device(numbers) or BlockDevice(size, read_only=False, disk="", block_size=0)
    if sentence := block_size_problem(item, device.block_size, size):
        raise KernelRefusedError(Reason.BLOCK_SIZE_MISMATCH, sentence)
    if device.read_only and item.access.mode is OpenMode.WRITABLE:
        raise KernelRefusedError(
            Reason.BACKING_READ_ONLY,
            f"{path} is read-only: give every map of the Lun 'access: ro', or make the device writable",
        )
    return CheckedBacking(_opened_device(numbers), numbers, device.read_only)


def _free_size(path: str, numbers: str) -> int:
    """Return the size of a device in bytes. Raises KernelRefusedError if the device is in use."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise KernelRefusedError(
                Reason.IN_USE,
                f"{path} is in use by {first_of(list_holders(numbers), 3) or _UNSEEN}: release it there",
            ) from None
        if error.errno in _NOT_READY:
            sentence = f"{path} is not ready: {error.strerror}; {_NOT_READY[error.errno]}"
            raise KernelRefusedError(Reason.BACKING_UNUSABLE, sentence) from error
        raise KernelRefusedError(
            Reason.BACKING_MISSING, f"{path} can't be opened: {error.strerror}"
        ) from error
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)
