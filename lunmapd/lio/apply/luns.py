"""Making and removing TPG LUNs and mapped LUNs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.apply import fast_path
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import Numbers, Places, tpg_path
from lunmapd.lio.base.parse import directory_number
from lunmapd.lio.base.refusal import RefusedError
from lunmapd.lio.observe import alua


def create(item: lio_objects.TpgLun | lio_objects.MappedLun, places: Places) -> None:
    """Export a storage object in a TPG, or map such a LUN to an initiator."""
    if isinstance(item, lio_objects.TpgLun):
        _create_lun(item, places)
    else:
        fast_path.create_mapped_lun(item, _number(item, places))
        places.maps[item.iqn, item.tag].add(item)


def update(item: lio_objects.TpgLun, places: Places) -> None:
    """Let a LUN belong to another target port group."""
    number = _number(item, places)
    alua.bind(f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/lun/lun_{number}", item.group)


def delete(item: lio_objects.TpgLun | lio_objects.MappedLun, places: Places) -> None:
    """Remove a LUN or a mapped LUN."""
    if isinstance(item, lio_objects.TpgLun):
        _delete_lun(item, places)
    else:
        with contextlib.suppress(rts.NotInConfigfs):
            rts.mapped_lun(item).delete()
        places.maps[item.iqn, item.tag].discard(item)


def free(path: str, places: Places) -> None:
    """Note that the LUN directory at `path` is gone."""
    _, iqn, tpgt, _, lun = Path(path).parts
    tag, number = directory_number(tpgt, "tpgt_"), directory_number(lun, "lun_")
    if tag is not None and number is not None:
        places.numbers[iqn, tag].free(number)


def reserve(step: Step, places: Places) -> None:
    """Choose the number of a LUN that is about to be made, before others are made beside it."""
    item = step.item
    if step.action is Action.CREATE and isinstance(item, lio_objects.TpgLun):
        numbers = places.numbers[item.iqn, item.tag]
        number = numbers.lowest()
        numbers.take(number)
        places.reserved[item.iqn, item.tag, item.storage_object] = number


def _create_lun(item: lio_objects.TpgLun, places: Places) -> None:
    tpg = (item.iqn, item.tag)
    number = places.reserved.pop((*tpg, item.storage_object))
    with _freed_on_failure(number, places.numbers[tpg]):
        if item.storage_object in places.luns[tpg]:
            raise RefusedError("KernelRefused", f"{item.storage_object} is a LUN of this TPG already")
        fast_path.create_lun(item, number, _hba(item, places))
    places.luns[tpg][item.storage_object] = number


@contextlib.contextmanager
def _freed_on_failure(number: int, numbers: Numbers) -> Iterator[None]:
    try:
        yield
    except (OSError, RefusedError):
        numbers.free(number)
        raise


def _hba(item: lio_objects.TpgLun, places: Places) -> str:
    hba = places.devices.get(item.storage_object)
    if hba is None:
        raise RefusedError("KernelRefused", f"there is no storage object {item.storage_object}")
    return hba


def _delete_lun(item: lio_objects.TpgLun, places: Places) -> None:
    """Unlink and remove. The kernel would unmap a mapped LUN and leave half of each mapping, so refuse before."""
    tpg = (item.iqn, item.tag)
    number = places.luns[tpg].get(item.storage_object)
    if number is None:
        return
    if item.storage_object in places.maps[tpg]:
        raise RefusedError("InUse", f"{item.storage_object} is mapped to an initiator")
    files.remove(rts.ROOT / tpg_path(*tpg) / "lun" / f"lun_{number}")
    del places.luns[tpg][item.storage_object]
    places.numbers[tpg].free(number)


def _number(item: lio_objects.TpgLun | lio_objects.MappedLun, places: Places) -> int:
    number = places.luns[item.iqn, item.tag].get(item.storage_object)
    if number is None:
        raise RefusedError("KernelRefused", f"{item.storage_object} is not a LUN of this TPG")
    return number
