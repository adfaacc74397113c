"""Making, changing and removing storage objects."""

import contextlib

from lunmapd.core import lio
from lunmapd.lio import rts
from lunmapd.lio.backing import check_backing
from lunmapd.lio.places import Places, index_of
from lunmapd.lio.refusal import RefusedError
from lunmapd.lio.settings import write_attributes


def create(item: lio.StorageObject, places: Places) -> None:
    """Make the storage object under the lowest free index of ours."""
    if item.name in places.devices:
        raise RefusedError("KernelRefused", f"there is a storage object {item.name} already")
    check_backing(item)
    index = places.indexes.lowest()
    places.indexes.take(index)
    node = rts.create_storage_object(item, index)
    places.devices[item.name] = f"{item.plugin}_{index}"
    write_attributes(node, item.attributes)


def update(item: lio.StorageObject, before: lio.Object | None, places: Places) -> None:
    """Set size and attributes in place."""
    index = _index(item, places)
    if isinstance(before, lio.StorageObject) and item.size != before.size:
        check_backing(item)
        rts.resize(item, index)
    write_attributes(rts.storage_object(item.plugin, item.name, index), item.attributes)


def delete(item: lio.StorageObject, places: Places) -> None:
    """Remove the storage object and its HBA."""
    if item.name not in places.devices:
        return
    index = _index(item, places)
    with contextlib.suppress(rts.NotInConfigfs):
        rts.storage_object(item.plugin, item.name, index).delete()
    del places.devices[item.name]
    places.indexes.free(index)


def _index(item: lio.StorageObject, places: Places) -> int:
    hba = places.devices.get(item.name)
    if hba is None:
        raise RefusedError("KernelRefused", f"there is no storage object {item.name}")
    return index_of(hba)
