"""Observing the storage objects in LIO's core."""

import os
from functools import cache

from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files
from lunmapd.lio.base.alias import Alias, parse_alias
from lunmapd.lio.base.index import FIRST_INDEX, parse_hba_index
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import backing_info_file, parse_backing, parse_device_numbers, parse_serial
from lunmapd.lio.observe.alua import DEFAULT_GROUP_FILES, parse_default_group, read_group

_SERIAL, _VENDOR, _PRODUCT = "wwn/vpd_unit_serial", "wwn/vendor_id", "wwn/product_id"
_DEVICES = "/sys/dev/block"
_SECTOR = 512  # bytes, for any sector size of the device (Documentation/ABI/stable/sysfs-block)


def observe_storage_objects(observation: Observation) -> None:
    """Record lunmapd's storage objects: those in HBA indexes from FIRST_INDEX on, and adopted ones below.

    They are read in the order of the indexes: of two with the same name the first counts, the second is a
    leftover.
    """
    for number, hba in sorted((parse_hba_index(hba), hba) for hba in observation.list_directories("core")):
        if number >= FIRST_INDEX:
            observation.index.hba_indexes.take(number)
        if number < 0 or hba.rpartition("_")[0] not in PLUGINS:
            continue
        if number >= FIRST_INDEX:
            _add_hba(observation, hba)
        else:
            _add_adopted(observation, hba)


def _add_hba(observation: Observation, hba: str) -> None:
    if observation.skip_stuck(f"core/{hba}"):
        last = observation.stuck[f"core/{hba}"]
        observation.index.hbas.update(
            {item.name: hba for item in last if isinstance(item, lio_objects.StorageObject)}
        )
    elif not _add_expected(observation, hba):
        names = observation.list_directories(f"core/{hba}")
        if not names:
            observation.add_leftover("hba", f"core/{hba}")
        for name in names:
            if not _add_storage_object(observation, hba, name):
                observation.add_leftover("storage_object", f"core/{hba}/{name}")


def _add_expected(observation: Observation, hba: str) -> bool:
    """Record the storage object that was last observed in the HBA, if the HBA holds no second one.

    Reading the link count of a directory is cheaper than listing it.
    """
    name = observation.expected.get(hba)
    return (
        name is not None
        and observation.has_one_directory(f"core/{hba}")
        and _add_storage_object(observation, hba, name)
    )


def _add_storage_object(observation: Observation, hba: str, name: str) -> bool:
    """Record a storage object; return False if it is incomplete, or its name is in use."""
    item = read_storage_object(observation, hba, name)
    if item is None or name in observation.index.hbas:
        return False
    observation.add(item)
    record_missing_backing(observation, item)
    observation.index.hbas[name] = hba
    return True


def _add_adopted(observation: Observation, hba: str) -> None:
    """Record the adopted storage objects of an HBA. Incomplete objects of other tools are left alone."""
    if f"core/{hba}" in observation.stuck:
        return _add_hba(observation, hba)
    for name in observation.list_directories(f"core/{hba}"):
        if parse_alias(hba.rpartition("_")[0], observation.read(f"core/{hba}/{name}/alias") or "").adopted:
            _add_storage_object(observation, hba, name)
    return None


def record_missing_backing(observation: Observation, item: lio_objects.StorageObject) -> None:
    """Record the storage object as missing if its device or file no longer exists."""
    if PLUGINS[item.plugin].on_path and not os.path.lexists(item.path):
        observation.missing.add(item.name)


def _record_size(observation: Observation, name: str, info: str) -> None:
    """Record the size in bytes of the device that the kernel has claimed for an iblock."""
    numbers = parse_device_numbers(info)
    sectors = files.read_file(f"{_DEVICES}/{numbers}/size") if numbers else None
    if sectors is not None:
        observation.sizes[name] = int(sectors) * _SECTOR


def read_storage_object(observation: Observation, hba: str, name: str) -> lio_objects.StorageObject | None:
    """Read one storage object. Return None if it is incomplete: creation writes the serial last."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    texts = observation.read_files(path, _files(plugin))
    alias = parse_alias(plugin, texts.get("alias", ""))
    serial = alias.serial or parse_serial(texts.get(_SERIAL, ""))
    backing = parse_backing(plugin, texts.get(backing_info_file(plugin), ""))
    if not serial or backing is None or (PLUGINS[plugin].own_inquiry and not alias.serial):
        return None
    if plugin == PluginName.IBLOCK:
        _record_size(observation, name, texts["info"])
    if more := _files_of(alias):
        texts |= observation.read_files(path, more)
    names = (*PLUGINS[plugin].governed, *alias.attributes)
    attributes = tuple((name, texts[file]) for name in names if (file := f"attrib/{name}") in texts)
    alua = read_group(observation, path) if alias.alua else None
    default = parse_default_group(texts) if PLUGINS[plugin].emulated else lio_objects.DEFAULT_GROUP
    return lio_objects.StorageObject(
        name,
        plugin,
        *backing,
        serial,
        attributes,
        texts.get(_VENDOR, ""),
        texts.get(_PRODUCT, ""),
        alua,
        default_group=default,
    )


@cache
def _files(plugin: str) -> tuple[str, ...]:
    governed = (f"attrib/{name}" for name in PLUGINS[plugin].governed)
    groups = DEFAULT_GROUP_FILES if PLUGINS[plugin].emulated else ()
    return ("alias", _SERIAL, backing_info_file(plugin), *governed, *groups)


def _files_of(alias: Alias) -> list[str]:
    names = {_VENDOR: alias.vendor, _PRODUCT: alias.product}
    return [f"attrib/{name}" for name in alias.attributes] + [file for file, set_ in names.items() if set_]
