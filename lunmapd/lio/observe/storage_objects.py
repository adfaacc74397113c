"""Looking at the storage objects in LIO's core."""

import os
from functools import cache

from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import STORAGE_ATTRIBUTES
from lunmapd.lio.base import alias, files, parse
from lunmapd.lio.base.index import FIRST_INDEX, index_of
from lunmapd.lio.base.observation import Look
from lunmapd.lio.observe.alua import observe_group

_SERIAL, _VENDOR, _PRODUCT = "wwn/vpd_unit_serial", "wwn/vendor_id", "wwn/product_id"
_DEVICES = "/sys/dev/block"
_SECTOR = 512  # whatever the device's own sectors are (Documentation/ABI/stable/sysfs-block)
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
        look.places.devices.update(
            {item.name: hba for item in held if isinstance(item, lio_objects.StorageObject)}
        )
    elif not _as_expected(look, hba):
        names = look.directories(f"core/{hba}")
        if not names:
            look.leftover("hba", f"core/{hba}")
        for name in names:
            if not _note(look, hba, name):
                look.leftover("storage_object", f"core/{hba}/{name}")


def _as_expected(look: Look, hba: str) -> bool:
    """Note the one that was there before, if there is no other: listing a directory takes more than asking how many are in it."""
    name = look.expected.get(hba)
    return name is not None and look.holds_one_directory(f"core/{hba}") and _note(look, hba, name)


def _note(look: Look, hba: str, name: str) -> bool:
    """Note a storage object; return False if it isn't whole, or there is one of this name."""
    item = read_storage_object(look, hba, name)
    if item is None or name in look.places.devices:
        return False
    look.add(item)
    note_missing(look, item)
    look.places.devices[name] = hba
    return True


def _adopted(look: Look, hba: str) -> None:
    """Note what was adopted; half of an object of another tool is that tool's."""
    if f"core/{hba}" in look.held:
        return _hba(look, hba)
    for name in look.directories(f"core/{hba}"):
        if alias.parse(hba.rpartition("_")[0], look.read(f"core/{hba}/{name}/alias") or "").adopted:
            _note(look, hba, name)
    return None


def note_missing(look: Look, item: lio_objects.StorageObject) -> None:
    """Note if the device or file behind a storage object is not there any more."""
    if item.plugin in _ON_A_PATH and not os.path.lexists(item.path):
        look.missing.add(item.name)


def _note_size(look: Look, name: str, info: str) -> None:
    """Note how many bytes the device behind a storage object has, by the numbers that the kernel claimed it under."""
    numbers = parse.device_numbers(info)
    sectors = files.read(f"{_DEVICES}/{numbers}/size") if numbers else None
    if sectors is not None:
        look.sizes[name] = int(sectors) * _SECTOR


def read_storage_object(look: Look, hba: str, name: str) -> lio_objects.StorageObject | None:
    """Read one storage object, None if it isn't whole: its creation writes the serial after it is enabled."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    texts = look.read_all(path, _files(plugin))
    mine = alias.parse(plugin, texts.get("alias", ""))
    serial = mine.serial or parse.serial(texts.get(_SERIAL, ""))
    backing = parse.backing(plugin, texts.get(parse.backing_file(plugin), ""))
    if not serial or backing is None or (plugin == "pscsi" and not mine.serial):
        return None
    if plugin == "iblock":
        _note_size(look, name, texts["info"])
    if more := _noted(mine):
        texts |= look.read_all(path, more)
    names = (*STORAGE_ATTRIBUTES[plugin], *mine.attributes)
    attributes = tuple((name, texts[file]) for name in names if (file := f"attrib/{name}") in texts)
    alua = observe_group(look, path) if mine.alua else None
    vendor, product = texts.get(_VENDOR, ""), texts.get(_PRODUCT, "")
    return lio_objects.StorageObject(name, plugin, *backing, serial, attributes, vendor, product, alua)


@cache
def _files(plugin: str) -> tuple[str, ...]:
    governed = (f"attrib/{name}" for name in STORAGE_ATTRIBUTES[plugin])
    return ("alias", _SERIAL, parse.backing_file(plugin), *governed)


def _noted(mine: alias.Note) -> list[str]:
    names = {_VENDOR: mine.vendor, _PRODUCT: mine.product}
    return [f"attrib/{name}" for name in mine.attributes] + [file for file, set_ in names.items() if set_]
