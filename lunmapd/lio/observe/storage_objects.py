"""Observing the storage objects in LIO's core."""

from collections.abc import Iterator
from functools import cache

from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DEFAULT_GROUP
from lunmapd.core.node.opening import READ_ONLY, WRITABLE
from lunmapd.lio.base.alias import Alias, parse_alias
from lunmapd.lio.base.index import FIRST_INDEX, parse_hba_index
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import (
    backing_info_file,
    parse_backing,
    parse_device_numbers,
    parse_info,
    parse_serial,
)
from lunmapd.lio.observe.alua import DEFAULT_GROUP_FILES, parse_default_group, read_group
from lunmapd.lio.observe.backings import ReadStorageObject, add_storage_objects

_SERIAL, _VENDOR, _PRODUCT = "wwn/vpd_unit_serial", "wwn/vendor_id", "wwn/product_id"
_BATCH = 256  # storage objects whose backings are compared together


def observe_storage_objects(observation: Observation) -> None:
    """Record lunmapd's storage objects: those in HBA indexes from FIRST_INDEX on, and adopted ones below.

    They are read in the order of the indexes: of two with the same name the first counts, the second is a
    leftover.
    """
    read: list[ReadStorageObject] = []
    for each in _read_all(observation):
        read.append(each)
        if len(read) >= _BATCH:
            add_storage_objects(observation, read)
            read.clear()
    add_storage_objects(observation, read)
    observation.index.files.compact()


def _read_all(observation: Observation) -> Iterator[ReadStorageObject]:
    for number, hba in sorted((parse_hba_index(hba), hba) for hba in observation.list_directories("core")):
        if number >= FIRST_INDEX:
            observation.index.hba_indexes.take(number)
        if number < 0 or hba.rpartition("_")[0] not in PLUGINS:
            continue
        yield from (_read_hba(observation, hba) if number >= FIRST_INDEX else _read_adopted(observation, hba))


def _read_hba(observation: Observation, hba: str) -> Iterator[ReadStorageObject]:
    if observation.skip_stuck(f"core/{hba}"):
        last = observation.stuck[f"core/{hba}"]
        observation.index.hbas.update(
            {item.name: hba for item in last if isinstance(item, lio_objects.StorageObject)}
        )
    elif (expected := _read_expected(observation, hba)) is not None:
        yield expected
    else:
        names = observation.list_directories(f"core/{hba}")
        if not names:
            observation.add_leftover("hba", f"core/{hba}")
        for name in names:
            read = _read_first(observation, hba, name)
            if read is None:
                observation.add_leftover("storage_object", f"core/{hba}/{name}")
            else:
                yield read


def _read_expected(observation: Observation, hba: str) -> ReadStorageObject | None:
    """Read the storage object that was last observed in the HBA, if the HBA holds no second one.

    Reading the link count of a directory is cheaper than listing it.
    """
    name = observation.expected.get(hba)
    if name is None or not observation.has_one_directory(f"core/{hba}"):
        return None
    return _read_first(observation, hba, name)


def _read_first(observation: Observation, hba: str, name: str) -> ReadStorageObject | None:
    """Read a storage object; return None if it is incomplete, or its name is in use."""
    read = read_storage_object(observation, hba, name)
    if read is None or name in observation.index.hbas:
        return None
    observation.index.hbas[name] = hba
    return read


def _read_adopted(observation: Observation, hba: str) -> Iterator[ReadStorageObject]:
    """Read the adopted storage objects of an HBA. Incomplete objects of other tools are left alone."""
    if f"core/{hba}" in observation.stuck:
        yield from _read_hba(observation, hba)
        return
    for name in observation.list_directories(f"core/{hba}"):
        alias = parse_alias(hba.rpartition("_")[0], observation.read(f"core/{hba}/{name}/alias") or "")
        read = _read_first(observation, hba, name) if alias.adopted else None
        if read is not None:
            yield read


def read_storage_object(observation: Observation, hba: str, name: str) -> ReadStorageObject | None:
    """Read one storage object. Return None if it is incomplete: creation writes the serial last."""
    path, plugin = f"core/{hba}/{name}", hba.rpartition("_")[0]
    texts = observation.read_files(path, _files(plugin))
    alias = parse_alias(plugin, texts.get("alias", ""))
    serial = alias.serial or parse_serial(texts.get(_SERIAL, ""))
    backing = parse_backing(plugin, texts.get(backing_info_file(plugin), ""))
    if not serial or backing is None or (PLUGINS[plugin].own_inquiry and not alias.serial):
        return None
    if more := _files_of(alias):
        texts |= observation.read_files(path, more)
    names = (*PLUGINS[plugin].governed, *alias.attributes)
    attributes = tuple((name, texts[file]) for name in names if (file := f"attrib/{name}") in texts)
    alua = read_group(observation, path) if alias.alua else None
    default = parse_default_group(texts) if PLUGINS[plugin].emulated else DEFAULT_GROUP
    info = texts["info"] if plugin == PluginName.IBLOCK else ""
    item = lio_objects.StorageObject(
        name,
        plugin,
        *backing,
        serial,
        attributes,
        texts.get(_VENDOR, ""),
        texts.get(_PRODUCT, ""),
        alua,
        default_group=default,
        access=READ_ONLY if parse_info(info, "readonly") == "1" else WRITABLE,
    )
    return ReadStorageObject(item, parse_device_numbers(info) or alias.opened.device, alias.opened)


@cache
def _files(plugin: str) -> tuple[str, ...]:
    governed = (f"attrib/{name}" for name in PLUGINS[plugin].governed)
    groups = DEFAULT_GROUP_FILES if PLUGINS[plugin].emulated else ()
    return ("alias", _SERIAL, backing_info_file(plugin), *governed, *groups)


def _files_of(alias: Alias) -> list[str]:
    names = {_VENDOR: alias.vendor, _PRODUCT: alias.product}
    return [f"attrib/{name}" for name in alias.attributes] + [file for file, set_ in names.items() if set_]
