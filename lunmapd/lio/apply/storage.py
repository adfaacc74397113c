"""Creating, changing and removing storage objects."""

import contextlib
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.node import lio_objects
from lunmapd.lio.apply import fast_path
from lunmapd.lio.apply.attributes import default_storage_attributes, write_attributes
from lunmapd.lio.apply.backing import CheckedBacking, check_backing, check_opened
from lunmapd.lio.apply.reservations import restored_metadata
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.alias import Alias, alias_of, merge_aliases, parse_alias, show_alias
from lunmapd.lio.base.index import FIRST_INDEX, KernelIndex, parse_hba_index
from lunmapd.lio.base.parse import parse_device_numbers
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.observe.alua import NEW_DEFAULT_GROUP, write_default_group, write_group

_FAST_PLUGINS = (PluginName.FILEIO, PluginName.IBLOCK)


def create_storage_object(
    item: lio_objects.StorageObject, index: KernelIndex, places: Sequence[lio_objects.Key]
) -> None:
    """Create the storage object under the lowest free HBA index of lunmapd's range.

    The reservations on disk of the mapped LUNs `places` are restored. If the kernel refuses one of its
    attributes, the storage object is deleted again. Raises OSError and RtsError, and KernelRefusedError if
    the name is in use or the backing does not fit.
    """
    if item.name in index.hbas:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"there is a storage object {item.name} already")
    checked = check_backing(item, index)
    hba_index = index.hba_indexes.lowest()
    index.hba_indexes.take(hba_index)
    with _released_on_failure(item, index):
        path = _create(item, hba_index, checked, restored_metadata(item, places, index))
    index.hbas[item.name] = f"{item.plugin}_{hba_index}"
    try:
        _check_opened(item, checked, path)
        _configure(item, path, checked)
    except (OSError, rts.RtsError, KernelRefusedError):
        with contextlib.suppress(OSError, rts.RtsError):
            delete_storage_object(item, index)
        raise


@contextlib.contextmanager
def _released_on_failure(item: lio_objects.StorageObject, index: KernelIndex) -> Iterator[None]:
    """Let another storage object have the file if this one can't be created."""
    try:
        yield
    except (OSError, rts.RtsError, KernelRefusedError):
        index.files.release(item.name)
        raise


def _check_opened(item: lio_objects.StorageObject, checked: CheckedBacking, path: str) -> None:
    if item.plugin in _FAST_PLUGINS:
        check_opened(item, checked, parse_device_numbers(files.read_file(f"{path}/info") or ""))


def _configure(item: lio_objects.StorageObject, path: str, checked: CheckedBacking) -> None:
    if PLUGINS[item.plugin].emulated and item.plugin not in _FAST_PLUGINS:
        files.write_files(path, NEW_DEFAULT_GROUP)
    # The alias is written before the attributes that it names, so that every attribute from the map is named
    # in it. The fast path has written it already.
    if item.plugin not in _FAST_PLUGINS:
        files.write_file(f"{path}/alias", show_alias(_alias(item, checked)))
    for name, text in (("vendor_id", item.vendor), ("product_id", item.product)):
        if text:
            files.write_file(f"{path}/wwn/{name}", text)
    if different := [setting for setting in item.attributes if setting not in fast_path.NEW_ATTRIBUTES]:
        write_attributes(path, different)
    if item.alua is not None:
        write_group(path, item.alua, None)


def _alias(item: lio_objects.StorageObject, checked: CheckedBacking) -> Alias:
    return replace(alias_of(item), opened=checked.opened)


def _create(
    item: lio_objects.StorageObject, hba_index: int, checked: CheckedBacking, metadata: Sequence[str]
) -> str:
    if item.plugin not in _FAST_PLUGINS:
        return rts.create_with_rtslib(item, hba_index, metadata)
    alias = show_alias(_alias(item, checked))
    return fast_path.create_fileio_or_iblock(item, hba_index, alias, metadata, read_only=checked.read_only)


def update_storage_object(
    item: lio_objects.StorageObject, before: lio_objects.Object | None, index: KernelIndex
) -> None:
    """Change size, attributes and target port groups in place, from `before` to `item`.

    Attributes that `before` has with the same value are not read again. Those that only `before` has are
    written back to their default. Raises OSError, and KernelRefusedError if the storage object does not exist
    or the backing does not fit.
    """
    hba = _hba(item, index)
    path = f"{rts.ROOT}/core/{hba}/{item.name}"
    before = before if isinstance(before, lio_objects.StorageObject) else item
    if item.size != before.size:
        check_backing(item, index)
        # LIO accepts it while exported.
        files.write_file(f"{path}/control", f"fd_dev_size={item.size}")
    text = files.read_file(f"{path}/alias")
    if text is None:
        raise _absent(item)
    opened = parse_alias(item.plugin, text).opened
    adopted = parse_hba_index(hba) < FIRST_INDEX
    old, new = (replace(alias_of(one), adopted=adopted, opened=opened) for one in (before, item))
    if merge_aliases(old, new) != old:
        files.write_file(f"{path}/alias", show_alias(merge_aliases(old, new)))
    write_attributes(path, [setting for setting in item.attributes if setting not in before.attributes])
    gone = sorted(set(old.attributes) - set(new.attributes))
    write_attributes(path, default_storage_attributes(item.plugin, path, gone))
    # LUNs fall back to the default group when the other group is removed.
    write_default_group(path, before.default_group)
    if item.alua != before.alua:
        write_group(path, item.alua, before.alua)
    if merge_aliases(old, new) != new:
        files.write_file(f"{path}/alias", show_alias(new))


def delete_storage_object(item: lio_objects.StorageObject, index: KernelIndex) -> None:
    """Remove the storage object and its HBA.

    Raises OSError, and KernelRefusedError while it is exported.
    """
    hba = index.hbas.get(item.name)
    if hba is None:
        return
    try:
        fast_path.remove_storage_object(hba, item.name)
    except OSError:
        _check_links(item.name, hba)
        raise
    del index.hbas[item.name]
    index.files.release(item.name)
    number = parse_hba_index(hba)
    if number >= FIRST_INDEX:
        index.hba_indexes.free(number)


def _check_links(name: str, hba: str) -> None:
    """Raise KernelRefusedError if LUNs, of any fabric, still export the storage object."""
    end = f"/core/{hba}/{name}"
    links = rts.ROOT.glob("*/*/tpgt_*/lun/lun_*/*")
    found = [str(path.parent.relative_to(rts.ROOT)) for path in links if files.links_to(path, end)]
    if found:
        raise KernelRefusedError(
            Reason.IN_USE,
            f"{name} is still exported by {first_of(sorted(found), 3)}: remove it with the tool that made it",
        )


def _hba(item: lio_objects.StorageObject, index: KernelIndex) -> str:
    hba = index.hbas.get(item.name)
    if hba is None:
        raise _absent(item)
    return hba


def _absent(item: lio_objects.StorageObject) -> KernelRefusedError:
    return KernelRefusedError(Reason.KERNEL_REFUSED, f"there is no storage object {item.name}")
