"""Looking at the storage objects in LIO's core."""

import os
from functools import cache

from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import STORAGE_ATTRIBUTES
from lunmapd.lio.base import files
from lunmapd.lio.base.alias import Alias, parse_alias
from lunmapd.lio.base.index import FIRST_INDEX, parse_hba_index
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import backing_info_file, parse_backing, parse_device_numbers, parse_serial
from lunmapd.lio.observe.alua import read_group

_SERIAL, _VENDOR, _PRODUCT = "wwn/vpd_unit_serial", "wwn/vendor_id", "wwn/product_id"
_DEVICES = "/sys/dev/block"
_SECTOR = 512  # whatever the device's own sectors are (Documentation/ABI/stable/sysfs-block)
_WITH_PATH = ("fileio", "iblock", "pscsi")


def observe_storage_objects(observation: Observation) -> None:
    """Note the storage objects of our HBA indexes, in the order of these: of two with one name, the first counts.

    Below them are other tools', and those of these that were adopted.
    """
    for number, hba in sorted((parse_hba_index(hba), hba) for hba in observation.list_directories("core")):
        if number >= FIRST_INDEX:
            observation.index.hba_indexes.take(number)
        if number < 0 or hba.rpartition("_")[0] not in STORAGE_ATTRIBUTES:
            continue
        if number >= FIRST_INDEX:
            _add_hba(observation, hba)
        else:
            _add_adopted(observation, hba)


def _add_hba(observation: Observation, hba: str) -> None:
    if observation.skip_stuck(f"core/{hba}"):
        held = observation.stuck[f"core/{hba}"]
        observation.index.hbas.update(
            {item.name: hba for item in held if isinstance(item, lio_objects.StorageObject)}
        )
    elif not _add_expected(observation, hba):
        names = observation.list_directories(f"core/{hba}")
        if not names:
            observation.add_leftover("hba", f"core/{hba}")
        for name in names:
            if not _add_storage_object(observation, hba, name):
                observation.add_leftover("storage_object", f"core/{hba}/{name}")


def _add_expected(observation: Observation, hba: str) -> bool:
    """Note the one that was there before, if there is no other: listing a directory takes more than asking how many are in it."""
    name = observation.expected.get(hba)
    return (
        name is not None
        and observation.has_one_directory(f"core/{hba}")
        and _add_storage_object(observation, hba, name)
    )


def _add_storage_object(observation: Observation, hba: str, name: str) -> bool:
    """Note a storage object; return False if it isn't whole, or there is one of this name."""
    item = read_storage_object(observation, hba, name)
    if item is None or name in observation.index.hbas:
        return False
    observation.add(item)
    record_missing_backing(observation, item)
    observation.index.hbas[name] = hba
    return True


def _add_adopted(observation: Observation, hba: str) -> None:
    """Note what was adopted; half of an object of another tool is that tool's."""
    if f"core/{hba}" in observation.stuck:
        return _add_hba(observation, hba)
    for name in observation.list_directories(f"core/{hba}"):
        if parse_alias(hba.rpartition("_")[0], observation.read(f"core/{hba}/{name}/alias") or "").adopted:
            _add_storage_object(observation, hba, name)
    return None


def record_missing_backing(observation: Observation, item: lio_objects.StorageObject) -> None:
    """Note if the device or file behind a storage object is not there any more."""
    if item.plugin in _WITH_PATH and not os.path.lexists(item.path):
        observation.missing.add(item.name)


def _record_size(observation: Observation, name: str, info: str) -> None:
    """Note how many bytes the device behind a storage object has, by the numbers that the kernel claimed it under."""
    numbers = parse_device_numbers(info)
    sectors = files.read_file(f"{_DEVICES}/{numbers}/size") if numbers else None
    if sectors is not None:
        observation.sizes[name] = int(sectors) * _SECTOR


def read_storage_object(observation: Observation, hba: str, name: str) -> lio_objects.StorageObject | None:
    """Read one storage object, None if it isn't whole: its creation writes the serial after it is enabled."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    texts = observation.read_files(path, _files(plugin))
    mine = parse_alias(plugin, texts.get("alias", ""))
    serial = mine.serial or parse_serial(texts.get(_SERIAL, ""))
    backing = parse_backing(plugin, texts.get(backing_info_file(plugin), ""))
    if not serial or backing is None or (plugin == "pscsi" and not mine.serial):
        return None
    if plugin == "iblock":
        _record_size(observation, name, texts["info"])
    if more := _files_of(mine):
        texts |= observation.read_files(path, more)
    names = (*STORAGE_ATTRIBUTES[plugin], *mine.attributes)
    attributes = tuple((name, texts[file]) for name in names if (file := f"attrib/{name}") in texts)
    alua = read_group(observation, path) if mine.alua else None
    vendor, product = texts.get(_VENDOR, ""), texts.get(_PRODUCT, "")
    return lio_objects.StorageObject(name, plugin, *backing, serial, attributes, vendor, product, alua)


@cache
def _files(plugin: str) -> tuple[str, ...]:
    governed = (f"attrib/{name}" for name in STORAGE_ATTRIBUTES[plugin])
    return ("alias", _SERIAL, backing_info_file(plugin), *governed)


def _files_of(mine: Alias) -> list[str]:
    names = {_VENDOR: mine.vendor, _PRODUCT: mine.product}
    return [f"attrib/{name}" for name in mine.attributes] + [file for file, set_ in names.items() if set_]
