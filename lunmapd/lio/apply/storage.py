"""Creating, changing and removing storage objects."""

import contextlib
from collections.abc import Sequence

from msgspec.structs import replace

from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.lio.apply import fast_path
from lunmapd.lio.apply.attributes import default_storage_attributes, write_attributes
from lunmapd.lio.apply.backing import check_backing
from lunmapd.lio.apply.reservations import restored_metadata
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.alias import Alias, alias_of, merge_aliases, show_alias
from lunmapd.lio.base.index import FIRST_INDEX, KernelIndex, parse_hba_index
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.observe.alua import NEW_DEFAULT_GROUP, write_default_group, write_group

_FAST_PLUGINS = (PluginName.FILEIO, PluginName.IBLOCK)


def create_storage_object(
    item: lio_objects.StorageObject, index: KernelIndex, places: Sequence[lio_objects.Key] = ()
) -> None:
    """Create the storage object under the lowest free HBA index of lunmapd's range.

    The reservations on disk of the mapped LUNs `places` are restored. If the kernel refuses one of its
    attributes, the storage object is deleted again. Raises OSError and RtsError, and KernelRefusedError if
    the name is in use or the backing does not fit.
    """
    if item.name in index.hbas:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"there is a storage object {item.name} already")
    check_backing(item)
    hba_index = index.hba_indexes.lowest()
    index.hba_indexes.take(hba_index)
    path = _create(item, hba_index, restored_metadata(item, places, index))
    index.hbas[item.name] = f"{item.plugin}_{hba_index}"
    try:
        _configure(item, hba_index, path)
    except (OSError, rts.RtsError, KernelRefusedError):
        with contextlib.suppress(OSError, rts.RtsError):
            delete_storage_object(item, index)
        raise


def _configure(item: lio_objects.StorageObject, hba_index: int, path: str) -> None:
    if PLUGINS[item.plugin].emulated and item.plugin not in _FAST_PLUGINS:
        files.write_files(path, NEW_DEFAULT_GROUP)
    # The alias is written before the attributes that it names, so that every attribute from the map is named
    # in it.
    if (alias := alias_of(item)) != Alias():
        files.write_file(f"{path}/alias", show_alias(alias))
    for name, text in (("vendor_id", item.vendor), ("product_id", item.product)):
        if text:
            files.write_file(f"{path}/wwn/{name}", text)
    if different := [setting for setting in item.attributes if setting not in fast_path.NEW_ATTRIBUTES]:
        write_attributes(rts.open_storage_object(item.plugin, item.name, hba_index), different)
    if item.alua is not None:
        write_group(path, item.alua, None)


def _create(item: lio_objects.StorageObject, hba_index: int, metadata: Sequence[str]) -> str:
    create = fast_path.create_fileio_or_iblock if item.plugin in _FAST_PLUGINS else rts.create_with_rtslib
    return create(item, hba_index, metadata)


def update_storage_object(
    item: lio_objects.StorageObject, before: lio_objects.Object | None, index: KernelIndex
) -> None:
    """Change size, attributes and target port groups in place, from `before` to `item`.

    Attributes that only `before` has are written back to their default. Raises OSError and RtsError, and
    KernelRefusedError if the storage object does not exist or the backing does not fit.
    """
    hba_index = _hba_index(item, index)
    before = before if isinstance(before, lio_objects.StorageObject) else item
    if item.size != before.size:
        check_backing(item)
        rts.resize_file(item, hba_index)
    node = rts.open_storage_object(item.plugin, item.name, hba_index)
    old, new = (replace(alias_of(one), adopted=hba_index < FIRST_INDEX) for one in (before, item))
    if merge_aliases(old, new) != old:
        files.write_file(f"{node.path}/alias", show_alias(merge_aliases(old, new)))
    write_attributes(node, item.attributes)
    gone = sorted(set(old.attributes) - set(new.attributes))
    write_attributes(node, default_storage_attributes(item.plugin, gone))
    # LUNs fall back to the default group when the other group is removed.
    write_default_group(node.path, before.default_group)
    if item.alua != before.alua:
        write_group(node.path, item.alua, before.alua)
    if merge_aliases(old, new) != new:
        files.write_file(f"{node.path}/alias", show_alias(new))


def delete_storage_object(item: lio_objects.StorageObject, index: KernelIndex) -> None:
    """Remove the storage object and its HBA. Raises RtsError while it is exported."""
    if item.name not in index.hbas:
        return
    hba_index = _hba_index(item, index)
    with contextlib.suppress(rts.NotInConfigfs):
        rts.open_storage_object(item.plugin, item.name, hba_index).delete()
    del index.hbas[item.name]
    if hba_index >= FIRST_INDEX:
        index.hba_indexes.free(hba_index)


def _hba_index(item: lio_objects.StorageObject, index: KernelIndex) -> int:
    hba = index.hbas.get(item.name)
    if hba is None:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"there is no storage object {item.name}")
    return parse_hba_index(hba)
