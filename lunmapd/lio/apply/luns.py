"""Creating, changing and removing TPG LUNs and mapped LUNs."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_failures import handler_away
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.apply import fast_path
from lunmapd.lio.base import rts
from lunmapd.lio.base.index import KernelIndex, NumberPool, take_lun_number, tpg_path
from lunmapd.lio.base.parse import parse_directory_number
from lunmapd.lio.base.refusal import KernelRefusedError
from lunmapd.lio.base.tcmu import find_handlers
from lunmapd.lio.observe import alua


def create_lun(item: lio_objects.TpgLun | lio_objects.MappedLun, index: KernelIndex) -> None:
    """Export a storage object in a TPG, or map a LUN of a TPG to an initiator.

    The step was prepared by `prepare_lun`. Raises OSError, and KernelRefusedError if the
    storage object or LUN does not exist, has no handler and needs one, or is a LUN of the TPG already.
    """
    if isinstance(item, lio_objects.TpgLun):
        _create_tpg_lun(item, index)
    else:
        _check_handler(item.storage_object, index)
        fast_path.link_mapped_lun(item, _lun_number(item, index))
        index.mapped_luns[item.iqn, item.tag].add(item)


def update_lun(item: lio_objects.TpgLun, before: lio_objects.Object | None, index: KernelIndex) -> None:
    """Put a LUN into its target port group, and let it answer.

    Raises OSError, and KernelRefusedError if it does not exist.
    """
    path = f"{rts.ROOT}/{tpg_path(item.iqn, item.tag)}/lun/lun_{_lun_number(item, index)}"
    was = before if isinstance(before, lio_objects.TpgLun) else item
    if was.group != item.group:
        alua.set_lun_group(path, item.group)
    if was.offline:
        alua.set_lun_online(path)


def delete_lun(item: lio_objects.TpgLun | lio_objects.MappedLun, index: KernelIndex) -> None:
    """Remove a TPG LUN or a mapped LUN.

    Raises OSError, and KernelRefusedError if a LUN is mapped.
    """
    if isinstance(item, lio_objects.TpgLun):
        _delete_tpg_lun(item, index)
    else:
        fast_path.unlink_mapped_lun(item)
        index.mapped_luns[item.iqn, item.tag].discard(item)


def free_lun_number(path: str, index: KernelIndex) -> None:
    """Free the number of the removed LUN directory at `path`."""
    _, iqn, tpgt, _, lun = Path(path).parts
    tag, number = parse_directory_number(tpgt, "tpgt_"), parse_directory_number(lun, "lun_")
    if tag is not None and number is not None:
        index.lun_numbers[iqn, tag].free(number)


def begin_batch(index: KernelIndex) -> None:
    """Forget which handlers were away, so that they are looked for once more in this batch of steps."""
    index.handlers = {name: True for name, is_there in index.handlers.items() if is_there}


def prepare_lun(
    step: Step, index: KernelIndex, look: Callable[[], Mapping[str, bool]] = find_handlers
) -> None:
    """Choose the number of a LUN that is about to be created, and look for the handler, if it needs one.

    That is done before steps run in parallel. A look goes through the open files of all processes; it finds
    the handlers of all storage objects that exist by then, so a batch costs few looks.
    """
    item = step.item
    if step.action is not Action.CREATE or not isinstance(item, lio_objects.TpgLun | lio_objects.MappedLun):
        return
    if isinstance(item, lio_objects.TpgLun):
        take_lun_number(index, (item.iqn, item.tag), item.storage_object)
    handled = _handled_name(item.storage_object, index)
    if handled and handled not in index.handlers:
        index.handlers = look()


def _create_tpg_lun(item: lio_objects.TpgLun, index: KernelIndex) -> None:
    tpg = (item.iqn, item.tag)
    number = index.reserved_numbers.pop((*tpg, item.storage_object))
    with _freed_on_failure(number, index.lun_numbers[tpg]):
        if item.storage_object in index.luns[tpg]:
            raise KernelRefusedError(
                Reason.KERNEL_REFUSED, f"{item.storage_object} is a LUN of this TPG already"
            )
        hba = _hba(item, index)
        _check_handler(item.storage_object, index)
        fast_path.link_lun(item, number, hba)
    index.luns[tpg][item.storage_object] = number


def _check_handler(name: str, index: KernelIndex) -> None:
    """Raise KernelRefusedError for a `user` storage object without a handler.

    A host gives up its scan of a target at the first LUN that does not answer, and so loses the others
    (scsi_report_lun_scan in drivers/scsi/scsi_scan.c).
    """
    handled = _handled_name(name, index)
    if handled and not index.handlers.get(handled):
        raise KernelRefusedError(Reason.HANDLER_AWAY, handler_away(name))


def _handled_name(name: str, index: KernelIndex) -> str:
    """Return the name of a `user` storage object in the index of handlers, "" for one that needs none."""
    hba = index.hbas.get(name, "")
    return f"{hba}/{name}" if hba.rpartition("_")[0] == PluginName.USER else ""


@contextlib.contextmanager
def _freed_on_failure(number: int, numbers: NumberPool) -> Iterator[None]:
    try:
        yield
    except (OSError, KernelRefusedError):
        numbers.free(number)
        raise


def _hba(item: lio_objects.TpgLun, index: KernelIndex) -> str:
    hba = index.hbas.get(item.storage_object)
    if hba is None:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"there is no storage object {item.storage_object}")
    return hba


def _delete_tpg_lun(item: lio_objects.TpgLun, index: KernelIndex) -> None:
    """Remove the symlink and the directory.

    A mapped LUN is refused: the kernel would leave half of each mapping.
    """
    tpg = (item.iqn, item.tag)
    number = index.luns[tpg].get(item.storage_object)
    if number is None:
        return
    if item.storage_object in index.mapped_luns[tpg]:
        raise KernelRefusedError(Reason.IN_USE, f"{item.storage_object} is mapped to an initiator")
    fast_path.unlink_lun(item, number)
    del index.luns[tpg][item.storage_object]
    index.lun_numbers[tpg].free(number)


def _lun_number(item: lio_objects.TpgLun | lio_objects.MappedLun, index: KernelIndex) -> int:
    number = index.luns[item.iqn, item.tag].get(item.storage_object)
    if number is None:
        raise KernelRefusedError(Reason.KERNEL_REFUSED, f"{item.storage_object} is not a LUN of this TPG")
    return number
