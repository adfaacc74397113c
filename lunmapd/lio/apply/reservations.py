"""Restoring and forgetting the persistent reservations that the kernel keeps on disk."""

from collections.abc import Collection

from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import KernelIndex, record_number, take_lun_number
from lunmapd.lio.base.parse import parse_serial
from lunmapd.lio.base.reservation_files import (
    SavedRegistration,
    find_file,
    forget_registrations,
    read_registrations,
)


def restored_metadata(
    item: lio_objects.StorageObject, places: Collection[lio_objects.Key], index: KernelIndex
) -> list[str]:
    """Return the texts that restore the registrations made through the mapped LUNs `places`.

    The kernel restores a registration only into the LUN of the TPG that the text names. So the number of that
    LUN is taken now; it is the one in the file, unless another LUN has it. Raises OSError.
    """
    path = find_file(item.serial, rts.reservation_directories()) if places else None
    if path is None:
        return []
    index.recorded_serials[item.name] = item.serial
    saved = read_registrations(path).registrations
    return [_metadata(one, item, index) for one in saved if _place(one) in places]


def _metadata(one: SavedRegistration, item: lio_objects.StorageObject, index: KernelIndex) -> str:
    tpg = (one.iqn, one.tag)
    if (*tpg, item.serial) not in index.recorded_numbers:
        record_number(index, tpg, item.serial, one.number)
    number = take_lun_number(index, tpg, item.name)
    record_number(index, tpg, item.serial, number)
    return one.metadata(number)


def _place(one: SavedRegistration) -> lio_objects.Key:
    return ("mapped_lun", one.iqn, one.tag, one.initiator, one.lun)


def forget_reservations(item: lio_objects.MappedLun, index: KernelIndex) -> None:
    """Remove the registrations of a mapped LUN that was removed for good from the file. Raises OSError."""
    hba = index.hbas.get(item.storage_object)
    text = files.read_file(f"{rts.ROOT}/core/{hba}/{item.storage_object}/wwn/vpd_unit_serial")
    if text:
        nexus = (item.iqn, item.tag, item.initiator)
        forget_registrations(parse_serial(text), nexus, rts.reservation_directories())
