"""A look at some objects only, where they were last seen: what it costs is theirs, not the kernel's whole state."""

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.lio.base import files
from lunmapd.lio.base.index import Places, tpg_path
from lunmapd.lio.base.observation import Look
from lunmapd.lio.observe.acls import observe_acl, observe_mapped_luns
from lunmapd.lio.observe.alua import observe_binding
from lunmapd.lio.observe.storage_objects import note_missing, read_storage_object
from lunmapd.lio.observe.tpgs import storage_object_of


class SurprisedError(Exception):
    """Something is not as it could be after our own steps: only a whole look tells."""


def glance(root: Path, places: Places, items: Iterable[lio_objects.Object]) -> Look:
    """Look for storage objects, LUNs, ACLs and mapped LUNs, given as they should be; what is not there is not found.

    Raises SurprisedError, and OSError.
    """
    look = Look(root)
    look.places = places
    for item in items:
        _find(look, item)
    if look.missing or any(isinstance(item, lio_objects.Leftover) for item in look.objects.values()):
        raise SurprisedError
    return look


def _find(look: Look, item: lio_objects.Object) -> None:
    match item:
        case lio_objects.StorageObject():
            _storage_object(look, item)
        case lio_objects.TpgLun():
            _lun(look, item)
        case lio_objects.NodeAcl():
            if files.is_directory(f"{look.root}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}"):
                observe_acl(look, item)
        case lio_objects.MappedLun():
            _mapped_lun(look, item)
        case _:
            raise SurprisedError


def _storage_object(look: Look, item: lio_objects.StorageObject) -> None:
    hba = look.places.devices.get(item.name)
    if hba is None:
        return
    found = read_storage_object(look, hba, item.name)
    if found is None:
        raise SurprisedError
    look.add(found)
    note_missing(look, found)


def _lun(look: Look, item: lio_objects.TpgLun) -> None:
    number = look.places.luns[item.iqn, item.tag].get(item.storage_object)
    if number is None:
        return
    path = f"{tpg_path(item.iqn, item.tag)}/lun/lun_{number}"
    if storage_object_of(look, path) != item.storage_object:
        raise SurprisedError
    look.add(replace(item, group=observe_binding(look, path)))


def _mapped_lun(look: Look, item: lio_objects.MappedLun) -> None:
    if not files.is_directory(
        f"{look.root}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}/lun_{item.lun}"
    ):
        return
    number = look.places.luns[item.iqn, item.tag].get(item.storage_object)
    luns = {} if number is None else {number: item.storage_object}
    observe_mapped_luns(look, lio_objects.NodeAcl(item.iqn, item.tag, item.initiator), [item.lun], luns)
