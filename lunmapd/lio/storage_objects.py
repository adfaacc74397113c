"""Looking at the storage objects in LIO's core."""

import os

from lunmapd.core import lio
from lunmapd.core.project import STORAGE_ATTRIBUTES
from lunmapd.lio import note, parse
from lunmapd.lio.alua import observe_group
from lunmapd.lio.look import Look
from lunmapd.lio.places import FIRST_INDEX, index_of

_ON_A_PATH = ("fileio", "iblock", "pscsi")


def observe_storage_objects(look: Look) -> None:
    """Note the storage objects of our HBA indexes, in the order of these: of two with one name, the first counts.

    Below them are other tools', and those of these that were adopted.
    """
    for index, hba in sorted((index_of(hba), hba) for hba in look.directories("core")):
        if index >= FIRST_INDEX:
            look.places.indexes.take(index)
        if index < 0 or hba.rpartition("_")[0] not in STORAGE_ATTRIBUTES:
            continue
        if index >= FIRST_INDEX:
            _hba(look, hba)
        else:
            _adopted(look, hba)


def _hba(look: Look, hba: str) -> None:
    if look.keep(f"core/{hba}"):
        held = look.held[f"core/{hba}"]
        look.places.devices.update({item.name: hba for item in held if isinstance(item, lio.StorageObject)})
        return
    names = look.directories(f"core/{hba}")
    if not names:
        look.leftover("hba", f"core/{hba}")
    for name in names:
        item = read_storage_object(look, hba, name)
        if item is None or name in look.places.devices:
            look.leftover("storage_object", f"core/{hba}/{name}")
        else:
            look.add(item)
            note_missing(look, item)
            look.places.devices[name] = hba


def _adopted(look: Look, hba: str) -> None:
    """Note what was adopted; half of an object of another tool is that tool's."""
    if f"core/{hba}" in look.held:
        return _hba(look, hba)
    for name in look.directories(f"core/{hba}"):
        if not note.parse(hba.rpartition("_")[0], look.read(f"core/{hba}/{name}/alias") or "").adopted:
            continue
        item = read_storage_object(look, hba, name)
        if item is not None and name not in look.places.devices:
            look.add(item)
            note_missing(look, item)
            look.places.devices[name] = hba
    return None


def note_missing(look: Look, item: lio.StorageObject) -> None:
    """Note if the device or file behind a storage object is not there any more."""
    if item.plugin in _ON_A_PATH and not os.path.lexists(item.path):
        look.missing.add(item.name)


def read_storage_object(look: Look, hba: str, name: str) -> lio.StorageObject | None:
    """Read one storage object, None if it isn't whole: its creation writes the serial after it is enabled."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    mine = note.parse(plugin, look.read(f"{path}/alias") or "")
    serial = mine.serial or parse.serial(look.read(f"{path}/wwn/vpd_unit_serial") or "")
    backing = backing_of(look, path, plugin)
    if not serial or backing is None or (plugin == "pscsi" and not mine.serial):
        return None
    attributes = look.settings(f"{path}/attrib", (*STORAGE_ATTRIBUTES[plugin], *mine.attributes))
    vendor = look.read(f"{path}/wwn/vendor_id") or "" if mine.vendor else ""
    product = look.read(f"{path}/wwn/product_id") or "" if mine.product else ""
    alua = observe_group(look, path) if mine.alua else None
    return lio.StorageObject(name, plugin, *backing, serial, attributes, vendor, product, alua)


def backing_of(look: Look, path: str, plugin: str) -> tuple[str, int] | None:
    """Return path and size of a storage object, None if it has none yet; of a passed through device the kernel shows only where it is on its bus."""
    if plugin == "pscsi":
        device = look.read(f"{path}/udev_path")
        return (device, 0) if device else None
    return parse.backing(plugin, look.read(f"{path}/info") or "")
