"""Marking what another tool has made as ours. Nothing else changes, so no initiator notices."""

from pathlib import Path

from msgspec.structs import replace

from lunmapd.core.adoption.foreign import Found
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import MARK
from lunmapd.lio.base import files
from lunmapd.lio.base.alias import alias_of, show_alias
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.refusal import attempt


def mark_adopted(root: Path, found: Found, wanted: lio_objects.Objects) -> None:
    """Mark the wanted targets, each after the storage objects that it exports. Raises RefusedError; can be done again.

    The other way round a crash would leave a target of ours with LUNs that are not, which the next pass would remove.
    """
    targets = {item.iqn for item in wanted.values() if isinstance(item, lio_objects.Target)}
    for tpg in found.tpgs:
        if tpg.iqn not in targets:
            continue
        with attempt(f"mark {tpg.iqn} as lunmapd's"):
            for key in tpg.luns.values():
                _mark_storage(root, key, wanted)
            files.write_file(f"{root}/{tpg_path(tpg.iqn, tpg.tag)}/param/TargetAlias", MARK)


def _mark_storage(root: Path, key: str, wanted: lio_objects.Objects) -> None:
    item = wanted["storage_object", key.rpartition("/")[2]]
    assert isinstance(item, lio_objects.StorageObject), "the key says so"
    mine = replace(alias_of(item), adopted=True, alua=False)
    files.write_file(f"{root}/core/{key}/alias", show_alias(mine))
