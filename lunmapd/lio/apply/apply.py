"""Applying one step of a plan. Deleting an absent object succeeds; an update writes only differences."""

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.apply import fast_path, luns, portals, reservations, storage, targets
from lunmapd.lio.apply.attributes import write_tpg
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import KernelIndex, parse_hba_index
from lunmapd.lio.base.refusal import attempt, ignore_absent
from lunmapd.lio.observe import auth


def apply_step(step: Step, index: KernelIndex) -> None:
    """Apply the step, and record in `index` the objects that it created or removed.

    Raises KernelRefusedError.
    """
    with attempt(f"{step.action} {lio_objects.show_key(lio_objects.key_of(step.item))}"):
        match step.action:
            case Action.CREATE:
                _create(step, index)
            case Action.UPDATE:
                _update(step, index)
            case Action.DELETE:
                with ignore_absent():
                    _delete(step.item, index)
                if isinstance(step.item, lio_objects.MappedLun) and not step.keeps:
                    reservations.forget_reservations(step.item, index)


def _create(step: Step, index: KernelIndex) -> None:
    match step.item:
        case lio_objects.StorageObject() as item:
            storage.create_storage_object(item, index, step.keeps)
        case lio_objects.TpgLun() | lio_objects.MappedLun() as item:
            luns.create_lun(item, index)
        case lio_objects.Leftover():
            raise AssertionError(step)
        case _ as item:
            targets.create_target_object(item)


def _update(step: Step, index: KernelIndex) -> None:
    match step.item:
        case lio_objects.StorageObject():
            storage.update_storage_object(step.item, step.before, index)
        case lio_objects.Tpg():
            write_tpg(step.item, step.before)
        case lio_objects.Portal():
            portals.update_portal(step.item, index)
        case lio_objects.NodeAcl():
            auth.update_acl(step.item, step.before)
        case lio_objects.DiscoveryAuth():
            auth.write_discovery_credentials(step.item.credentials, enforced=True)
        case lio_objects.TpgLun():
            luns.update_lun(step.item, step.before, index)
        case lio_objects.MappedLun():
            fast_path.set_write_protection(step.item)
        case _:
            raise AssertionError(step)


def _delete(item: lio_objects.Object, index: KernelIndex) -> None:
    match item:
        case lio_objects.StorageObject():
            storage.delete_storage_object(item, index)
        case lio_objects.TpgLun() | lio_objects.MappedLun():
            luns.delete_lun(item, index)
        case lio_objects.Leftover():
            _delete_leftover(item, index)
        case _:
            targets.delete_target_object(item, index)


def _delete_leftover(item: lio_objects.Leftover, index: KernelIndex) -> None:
    path = rts.ROOT / item.path
    files.remove_linked_directory(str(path), MARK)
    match item.kind:
        case "storage_object":
            # A second storage object in an HBA of lunmapd is removed without the HBA.
            if not files.list_directories(str(path.parent)):
                path.parent.rmdir()
                index.hba_indexes.free(parse_hba_index(path.parent.name))
        case "hba":
            index.hba_indexes.free(parse_hba_index(path.name))
        case "lun":
            luns.free_lun_number(item.path, index)
