"""Block devices as sysfs shows them, by their numbers (`253:0`). No device is opened, so nothing hangs.

Sources: Documentation/ABI/stable/sysfs-block, Documentation/ABI/testing/sysfs-block-dm, block/genhd.c
(diskseq), drivers/scsi/scsi_sysfs.c and drivers/nvme/host/sysfs.c (wwid).
"""

import os

from msgspec import Struct

from lunmapd.lio.base import files

DEVICES = "/sys/dev/block"
"""The directory of sysfs that has each block device under its numbers."""

_SECTOR = 512  # bytes, for any sector size of the device (Documentation/ABI/stable/sysfs-block)
_DISK_FILES = ("size", "ro", "diskseq", "queue/logical_block_size")
# A partition has its own size, and the other properties of its disk.
_PARTITION_FILES = ("partition", "../diskseq", "../queue/logical_block_size")
# File name to the kind of identity in it; the first one that has a text counts.
_IDENTITIES = {"dm/uuid": "dm", "wwid": "wwid", "device/wwid": "wwid", "serial": "serial"}
_DIGITS = 16  # of a digest: enough to distinguish the disks of a node


class BlockDevice(Struct, frozen=True):
    """A block device. `size` and `block_size` (logical) are in bytes; `block_size` is 0 if unknown.

    `disk` is the sequence number of the disk (diskseq): no other disk gets it before the next boot, and
    numbers may be given to another disk. It is empty on kernels before 5.15.
    """

    size: int
    read_only: bool
    disk: str
    block_size: int


def read_block_device(numbers: str, devices: str = DEVICES) -> BlockDevice | None:
    """Return the block device with these numbers, None if there is none."""
    directory = f"{devices}/{numbers}"
    texts = files.read_files(directory, _DISK_FILES)
    if "size" not in texts:
        return None
    if "diskseq" not in texts:
        more = files.read_files(directory, _PARTITION_FILES)
        texts |= {name.removeprefix("../"): text for name, text in more.items()}
    return BlockDevice(
        int(texts["size"]) * _SECTOR,
        texts.get("ro") == "1",
        texts.get("diskseq", ""),
        int(texts.get("queue/logical_block_size", "0")),
    )


def read_identity(numbers: str, devices: str = DEVICES) -> str:
    """Return a short word for the identity that the device itself has, "" if it has none.

    The same device has the same word under other numbers, and after a boot. It is a digest, since an
    identity may have any length and spaces. A partition has the identity of its disk and its number.
    """
    directory = f"{devices}/{numbers}"
    partition = files.read_file(f"{directory}/partition")
    above = "" if partition is None else "../"
    for name, kind in _IDENTITIES.items():
        text = files.read_file(f"{directory}/{above}{name}")
        if text:
            word = f"{text}\0{partition or ''}"
            return f"{kind}:{_digest(word)}"
    return ""


def _digest(text: str) -> str:
    from hashlib import sha256  # noqa: PLC0415 - it takes 3 MB, and nodes without such devices don't need it

    return sha256(text.encode()).hexdigest()[:_DIGITS]


def list_holders(numbers: str, devices: str = DEVICES) -> tuple[str, ...]:
    """Return the devices made of a disk or its partitions, such as `dm-0 (mpatha)` or `md127`.

    A mount and a target are not among them.
    """
    directory = f"{devices}/{numbers}"
    places = [
        directory,
        *(f"{directory}/{name}" for name in _entries(directory) if _is_partition(directory, name)),
    ]
    found = [f"{place}/holders/{name}" for place in places for name in _entries(f"{place}/holders")]
    return tuple(_described(path) for path in sorted(found))


def _is_partition(directory: str, name: str) -> bool:
    return files.read_file(f"{directory}/{name}/partition") is not None


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - paths are strings here
    except OSError:
        return []


def _described(path: str) -> str:
    mapped, name = files.read_file(f"{path}/dm/name"), path.rpartition("/")[2]
    return f"{name} ({mapped})" if mapped else name


def is_claimed(path: str) -> bool:
    """Return whether something, such as LIO or a mount, has the block device at `path` for itself.

    A device that can't be opened counts as claimed: nothing may be concluded from it.
    """
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK))
    except OSError:
        return True
    return False
