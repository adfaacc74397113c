"""Marking the objects of another tool as lunmapd's. Nothing else changes, so no initiator is affected."""

from pathlib import Path

from msgspec.structs import replace

from lunmapd.core.adoption.foreign import ForeignConfiguration, own_tpgs, remote_tpgs
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK
from lunmapd.lio.apply.backing import presumed_backing
from lunmapd.lio.base import files
from lunmapd.lio.base.alias import alias_of, show_alias
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.parse import parse_device_numbers
from lunmapd.lio.base.refusal import attempt


def mark_adopted(root: Path, found: ForeignConfiguration, desired: lio_objects.DesiredObjects) -> None:
    """Mark the desired targets, each after the storage objects that it exports. Can be repeated.

    In the opposite order a crash would leave a marked target with LUNs of unmarked storage objects, which the
    next pass would remove. The TPG that serves initiators is the last one of its target: until it is marked,
    this function finds the target again. Raises KernelRefusedError.
    """
    targets = {item.iqn for item in desired.values() if isinstance(item, lio_objects.Target)}
    for tpg in (*remote_tpgs(found), *own_tpgs(found)):
        if tpg.iqn not in targets:
            continue
        with attempt(f"mark {tpg.iqn} as lunmapd's"):
            for key in tpg.luns.values():
                _mark_storage(root, key, desired)
            files.write_file(f"{root}/{tpg_path(tpg.iqn, tpg.tag)}/param/TargetAlias", MARK)


def _mark_storage(root: Path, key: str, desired: lio_objects.DesiredObjects) -> None:
    item = desired["storage_object", key.rpartition("/")[2]]
    assert isinstance(item, lio_objects.StorageObject), "its key is of the kind storage_object"
    directory = f"{root}/core/{key}"
    numbers = parse_device_numbers(files.read_file(f"{directory}/info") or "") or ""
    opened = presumed_backing(item, numbers)
    alias = replace(alias_of(item), adopted=True, alua=False, opened=opened)
    files.write_file(f"{directory}/alias", show_alias(alias))
