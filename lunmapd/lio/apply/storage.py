"""Making, changing and removing storage objects."""

import contextlib

from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.lio.apply import fast_path
from lunmapd.lio.apply.attributes import storage_default, write_attributes
from lunmapd.lio.apply.backing import check_backing
from lunmapd.lio.base import alias, files, rts
from lunmapd.lio.base.alias import Note
from lunmapd.lio.base.index import FIRST_INDEX, Places, index_of
from lunmapd.lio.base.refusal import RefusedError
from lunmapd.lio.observe.alua import write_group

_LEAN = ("fileio", "iblock")


def create(item: lio_objects.StorageObject, places: Places) -> None:
    """Make the storage object under the lowest free index of ours; without a setting that the kernel refuses there is none."""
    if item.name in places.devices:
        raise RefusedError("KernelRefused", f"there is a storage object {item.name} already")
    check_backing(item)
    index = places.indexes.lowest()
    places.indexes.take(index)
    path = _create(item, index)
    places.devices[item.name] = f"{item.plugin}_{index}"
    try:
        _configure(item, index, path)
    except (OSError, rts.Error, RefusedError):
        with contextlib.suppress(OSError, rts.Error):
            delete(item, places)
        raise


def _configure(item: lio_objects.StorageObject, index: int, path: str) -> None:
    # The note comes before what it names, so that nothing is ever set that it does not name.
    if (mine := alias.of(item)) != Note():
        files.write(f"{path}/alias", alias.show(mine))
    for name, text in (("vendor_id", item.vendor), ("product_id", item.product)):
        if text:
            files.write(f"{path}/wwn/{name}", text)
    if different := [setting for setting in item.attributes if setting not in fast_path.FRESH]:
        write_attributes(rts.storage_object(item.plugin, item.name, index), different)
    if item.alua is not None:
        write_group(path, item.alua, None)


def _create(item: lio_objects.StorageObject, index: int) -> str:
    if item.plugin not in _LEAN:
        return rts.create_storage_object(item, index)
    path = fast_path.create_storage_object(item, index)
    rts.recall_reservations(item, index)
    return path


def update(item: lio_objects.StorageObject, before: lio_objects.Object | None, places: Places) -> None:
    """Set size and attributes in place; what the map does not set any more goes back to its default."""
    index = _index(item, places)
    before = before if isinstance(before, lio_objects.StorageObject) else item
    if item.size != before.size:
        check_backing(item)
        rts.resize(item, index)
    node = rts.storage_object(item.plugin, item.name, index)
    was, now = (replace(alias.of(one), adopted=index < FIRST_INDEX) for one in (before, item))
    if alias.both(was, now) != was:
        files.write(f"{node.path}/alias", alias.show(alias.both(was, now)))
    write_attributes(node, item.attributes)
    gone = sorted(set(was.attributes) - set(now.attributes))
    write_attributes(node, storage_default(item.plugin, gone))
    if item.alua != before.alua:
        write_group(node.path, item.alua, before.alua)
    if alias.both(was, now) != now:
        files.write(f"{node.path}/alias", alias.show(now))


def delete(item: lio_objects.StorageObject, places: Places) -> None:
    """Remove the storage object and its HBA."""
    if item.name not in places.devices:
        return
    index = _index(item, places)
    with contextlib.suppress(rts.NotInConfigfs):
        rts.storage_object(item.plugin, item.name, index).delete()
    del places.devices[item.name]
    if index >= FIRST_INDEX:
        places.indexes.free(index)


def _index(item: lio_objects.StorageObject, places: Places) -> int:
    hba = places.devices.get(item.name)
    if hba is None:
        raise RefusedError("KernelRefused", f"there is no storage object {item.name}")
    return index_of(hba)
