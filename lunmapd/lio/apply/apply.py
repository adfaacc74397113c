"""One step of a plan, done through rtslib objects. Deleting what is gone is done; updating writes only differences."""

from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Step
from lunmapd.lio.apply import luns, storage, targets
from lunmapd.lio.apply.attributes import write_settings
from lunmapd.lio.base import files, rts
from lunmapd.lio.base.index import Places, index_of
from lunmapd.lio.base.refusal import attempt, gone_is_done
from lunmapd.lio.observe import auth


def apply(step: Step, places: Places) -> None:
    """Do the step and note in `places` what it made or removed. Raises RefusedError."""
    with attempt(f"{step.action} {lio_objects.show_key(lio_objects.key(step.item))}"):
        match step.action:
            case Action.CREATE:
                _create(step.item, places)
            case Action.UPDATE:
                _update(step, places)
            case Action.DELETE:
                with gone_is_done():
                    _delete(step.item, places)


def _create(item: lio_objects.Object, places: Places) -> None:
    match item:
        case lio_objects.StorageObject():
            storage.create(item, places)
        case lio_objects.TpgLun() | lio_objects.MappedLun():
            luns.create(item, places)
        case lio_objects.Leftover():
            raise AssertionError(item)
        case _:
            targets.create(item)


def _update(step: Step, places: Places) -> None:
    match step.item:
        case lio_objects.StorageObject():
            storage.update(step.item, step.before, places)
        case lio_objects.Tpg():
            write_settings(step.item, step.before)
        case lio_objects.Portal():
            rts.portal(step.item, "lookup").iser = step.item.iser
        case lio_objects.NodeAcl():
            auth.write_acl(step.item)
        case lio_objects.DiscoveryAuth():
            auth.write_discovery(step.item.credentials, enforced=True)
        case lio_objects.TpgLun():
            luns.update(step.item, places)
        case lio_objects.MappedLun():
            rts.mapped_lun(step.item).write_protect = step.item.write_protect
        case _:
            raise AssertionError(step)


def _delete(item: lio_objects.Object, places: Places) -> None:
    match item:
        case lio_objects.StorageObject():
            storage.delete(item, places)
        case lio_objects.TpgLun() | lio_objects.MappedLun():
            luns.delete(item, places)
        case lio_objects.Leftover():
            _delete_leftover(item, places)
        case _:
            targets.delete(item)


def _delete_leftover(item: lio_objects.Leftover, places: Places) -> None:
    path = rts.ROOT / item.path
    files.remove(path)
    match item.kind:
        case "storage_object":
            # One that somebody made beside ours goes alone.
            if not files.directories(str(path.parent)):
                path.parent.rmdir()
                places.indexes.free(index_of(path.parent.name))
        case "hba":
            places.indexes.free(index_of(path.name))
        case "lun":
            luns.free(item.path, places)
