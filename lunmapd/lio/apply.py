"""One step of a plan, done through rtslib objects. Deleting what is gone is done; updating writes only differences."""

from lunmapd.core import lio
from lunmapd.core.plan import Action, Step
from lunmapd.lio import auth, files, groups, luns, rts, storage
from lunmapd.lio.places import Places, index_of
from lunmapd.lio.refusal import attempt, gone_is_done
from lunmapd.lio.settings import write_settings


def apply(step: Step, places: Places) -> None:
    """Do the step and note in `places` what it made or removed. Raises RefusedError."""
    with attempt(f"{step.action} {lio.show_key(lio.key(step.item))}"):
        match step.action:
            case Action.CREATE:
                _create(step.item, places)
            case Action.UPDATE:
                _update(step, places)
            case Action.DELETE:
                with gone_is_done():
                    _delete(step.item, places)


def _create(item: lio.Object, places: Places) -> None:
    match item:
        case lio.StorageObject():
            storage.create(item, places)
        case lio.TpgLun() | lio.MappedLun():
            luns.create(item, places)
        case lio.Leftover():
            raise AssertionError(item)
        case _:
            groups.create(item)


def _update(step: Step, places: Places) -> None:
    match step.item:
        case lio.StorageObject():
            storage.update(step.item, step.before, places)
        case lio.Tpg():
            write_settings(step.item, step.before)
        case lio.Portal():
            rts.portal(step.item, "lookup").iser = step.item.iser
        case lio.NodeAcl():
            auth.write_acl(step.item)
        case lio.DiscoveryAuth():
            auth.write_discovery(step.item.credentials, enforced=True)
        case lio.TpgLun():
            luns.update(step.item, places)
        case lio.MappedLun():
            rts.mapped_lun(step.item).write_protect = step.item.write_protect
        case _:
            raise AssertionError(step)


def _delete(item: lio.Object, places: Places) -> None:
    match item:
        case lio.StorageObject():
            storage.delete(item, places)
        case lio.TpgLun() | lio.MappedLun():
            luns.delete(item, places)
        case lio.Leftover():
            _delete_leftover(item, places)
        case _:
            groups.delete(item)


def _delete_leftover(item: lio.Leftover, places: Places) -> None:
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
