"""The most frequent steps as plain system calls, for speed. All such steps are in this module.

rtslib's classes check each parent directory for each object and each of its properties. With them a storage
object takes some 90 system calls, a LUN 20, a mapped LUN 40, and a whole map ten times the time that the
kernel needs (docs/performance.md). Here the objects take 17, 2 and 5 calls, and each removal takes 2. The
result in configfs is the same as rtslib's, and the contract tests hold it to the kernel.

All functions raise OSError, and leave no incomplete object behind unless the process is killed.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from lunmapd.core.base.backings import PluginName
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.observe import alua

_ROOT = str(rts.ROOT)

NEW_ATTRIBUTES: lio_objects.AttributeValues = (
    ("emulate_3pc", "1"), ("emulate_caw", "1"), ("emulate_pr", "1"), ("emulate_write_cache", "0"),
)  # fmt: skip
"""The governed attributes of a new storage object (DA_EMULATE_* in include/target/target_core_base.h)."""


def create_fileio_or_iblock(
    item: lio_objects.StorageObject,
    index: int,
    alias: str,
    metadata: Iterable[str],
    *,
    read_only: bool,
) -> str:
    """Create a fileio or iblock storage object in its own HBA with this index, and return its directory.

    `alias` is the text of its alias file. With `read_only` an iblock opens its device for reading only
    (Opt_readonly in drivers/target/target_core_iblock.c). `metadata` are the texts that restore its
    reservations. The serial is written last, so that a storage
    object with a serial is complete.
    """
    hba = f"{_ROOT}/core/{item.plugin}_{index}"
    device = f"{hba}/{item.name}"
    with _made_directory(hba), _made_directory(device):
        if item.plugin == PluginName.FILEIO:
            control = f"fd_dev_name={item.path},fd_dev_size={item.size}"
        else:
            control = f"udev_path={item.path}" + (",readonly=1" if read_only else "")
        files.write_files(
            device,
            {
                "control": control,
                "udev_path": item.path,
                "enable": "1",
                "alias": alias,
                **alua.NEW_DEFAULT_GROUP,
            },
        )
        rts.restore_reservations(device, metadata)
        files.write_file(f"{device}/wwn/vpd_unit_serial", item.serial)
    return device


def link_lun(item: lio_objects.TpgLun, number: int, hba: str) -> None:
    """Export the storage object in `hba` (`fileio_10000`) as LUN `number` of a TPG, in its target port group.

    The symlink's name is always the same, so that one readlink finds it.
    """
    directory = f"{_ROOT}/{tpg_path(item.iqn, item.tag)}/lun/lun_{number}"
    with (
        _made_directory(directory),
        _made_link(f"{_ROOT}/core/{hba}/{item.storage_object}", f"{directory}/{MARK}"),
    ):
        if item.group:
            alua.set_lun_group(directory, item.group)


def link_mapped_lun(item: lio_objects.MappedLun, number: int) -> None:
    """Map LUN `number` of the TPG to the initiator.

    The write protection is always written, since its value after the symlink depends on the TPG.
    """
    directory = _mapped_lun_directory(item)
    lun = f"{_ROOT}/{tpg_path(item.iqn, item.tag)}/lun/lun_{number}"
    with _made_directory(directory), _made_link(lun, f"{directory}/{MARK}"):
        set_write_protection(item)


def set_write_protection(item: lio_objects.MappedLun) -> None:
    """Write the write protection of a mapped LUN."""
    files.write_file(f"{_mapped_lun_directory(item)}/write_protect", "1" if item.write_protect else "0")


def unlink_mapped_lun(item: lio_objects.MappedLun) -> None:
    """Remove a mapped LUN; an absent one counts as removed."""
    files.remove_linked_directory(_mapped_lun_directory(item), MARK)


def unlink_lun(item: lio_objects.TpgLun, number: int) -> None:
    """Remove LUN `number` of a TPG; an absent one counts as removed."""
    files.remove_linked_directory(f"{_ROOT}/{tpg_path(item.iqn, item.tag)}/lun/lun_{number}", MARK)


def remove_storage_object(hba: str, name: str) -> None:
    """Remove a storage object and its HBA (`fileio_10000`); what is absent counts as removed.

    The kernel refuses an exported one (EBUSY) before it looks for groups in it (ENOTEMPTY by
    configfs_detach_prep in fs/configfs/dir.c), so an exported one keeps its groups.
    """
    device = f"{_ROOT}/core/{hba}/{name}"
    try:
        files.remove_directory(device)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        alua.remove_groups(device)
        files.remove_directory(device)
    files.remove_directory(f"{_ROOT}/core/{hba}")


def _mapped_lun_directory(item: lio_objects.MappedLun) -> str:
    return f"{_ROOT}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}/lun_{item.lun}"


@contextmanager
def _made_link(target: str, link: str) -> Iterator[None]:
    """Make a symlink, and remove it again if the block raises OSError."""
    os.symlink(target, link)  # noqa: PTH211
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.unlink(link)  # noqa: PTH108
        raise


@contextmanager
def _made_directory(directory: str) -> Iterator[None]:
    """Make a directory, and remove it again if the block raises OSError."""
    os.mkdir(directory)  # noqa: PTH102
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.rmdir(directory)  # noqa: PTH106
        raise
