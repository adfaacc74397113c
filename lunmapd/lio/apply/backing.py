"""Checks of a backing file or device before LIO opens it: the kernel would create a missing file."""

import errno
import os
import stat

from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.base import rts
from lunmapd.lio.base.refusal import KernelRefusedError


def check_backing(item: lio_objects.StorageObject) -> None:
    """Raise KernelRefusedError unless the backing exists, has the right kind and size, and is free.

    The backing of a tcmu handler (user) can't be checked here. Whether a SCSI device is free is checked by
    rtslib.
    """
    match item.plugin:
        case PluginName.FILEIO:
            _check_file(item, _status(item.path))
        case PluginName.IBLOCK:
            _check_device(item.path, _status(item.path), item.declared.size)
        case PluginName.PSCSI:
            _check_scsi(item.path, _status(item.path))


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - one call, on a path that is a string everywhere
    except FileNotFoundError:
        raise KernelRefusedError(
            Reason.BACKING_MISSING,
            f"{path} does not exist on this node: create it, or give this node's path in 'overrides'",
        ) from None
    except OSError as error:
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} can't be used: {error.strerror}"
        ) from error


def _check_file(item: lio_objects.StorageObject, status: os.stat_result) -> None:
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


def _check_scsi(path: str, status: os.stat_result) -> None:
    if not stat.S_ISBLK(status.st_mode) and not stat.S_ISCHR(status.st_mode):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a device: correct the path of the Lun's backing"
        )


def _check_device(path: str, status: os.stat_result, declared: int) -> None:
    if not stat.S_ISBLK(status.st_mode):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a block device; give a file as type fileio"
        )
    if not rts.is_disk(path):
        raise KernelRefusedError(
            Reason.BACKING_UNUSABLE, f"{path} is not a disk; give a SCSI device of another kind as type pscsi"
        )
    size = _free_size(path)
    if size < declared:
        raise KernelRefusedError(
            Reason.SIZE_MISMATCH,
            f"{path} has {size} bytes, the Lun needs {declared}: "
            "enlarge the device on this node first, or correct the size of the Lun",
        )


def _free_size(path: str) -> int:
    """Return the size of a device in bytes. Raises KernelRefusedError if the device is in use."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise KernelRefusedError(
                Reason.IN_USE,
                f"{path} is in use by a mount, a RAID, a volume group or another target: release it there",
            ) from None
        raise KernelRefusedError(
            Reason.BACKING_MISSING, f"{path} can't be opened: {error.strerror}"
        ) from error
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)
