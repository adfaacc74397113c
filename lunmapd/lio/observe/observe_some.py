"""Observing some objects only, where the index has them, at a cost that depends on their number alone."""

from collections.abc import Iterable
from pathlib import Path

from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import NameState
from lunmapd.lio.base import files
from lunmapd.lio.base.index import KernelIndex, tpg_path
from lunmapd.lio.base.observation import Observation, ObservationHints
from lunmapd.lio.base.path_probe import PathProbe
from lunmapd.lio.observe.acls import observe_acl, observe_mapped_luns
from lunmapd.lio.observe.backings import ReadStorageObject, add_storage_objects
from lunmapd.lio.observe.storage_objects import read_storage_object
from lunmapd.lio.observe.tpgs import exported_storage_object, observe_lun


class UnexpectedStateError(Exception):
    """An object is in a state that lunmapd's own steps can't have produced: a full observation is needed."""


def observe_some(
    root: Path,
    index: KernelIndex,
    items: Iterable[lio_objects.Object],
    probe: PathProbe | None = None,
) -> Observation:
    """Read storage objects, LUNs, ACLs and mapped LUNs, given as they are desired; absent ones are left out.

    Sessions are not read, since that takes as long as the ACL has mapped LUNs.
    Raises UnexpectedStateError, also for a backing that is not as LIO has opened it, and OSError.
    """
    observation = Observation(root, ObservationHints(probe=probe))
    observation.index = index
    read: list[ReadStorageObject] = []
    for item in items:
        if isinstance(item, lio_objects.StorageObject):
            read += _storage_object(observation, item)
        else:
            _find(observation, item)
    add_storage_objects(observation, read)
    altered = any(facts.name is not NameState.SAME for facts in observation.backings.values())
    if altered or any(isinstance(item, lio_objects.Leftover) for item in observation.objects.values()):
        raise UnexpectedStateError
    return observation


def _find(observation: Observation, item: lio_objects.Object) -> None:
    match item:
        case lio_objects.TpgLun():
            _lun(observation, item)
        case lio_objects.NodeAcl():
            if files.is_directory(f"{observation.root}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}"):
                observe_acl(observation, item)
        case lio_objects.MappedLun():
            _mapped_lun(observation, item)
        case _:
            raise UnexpectedStateError


def _storage_object(observation: Observation, item: lio_objects.StorageObject) -> list[ReadStorageObject]:
    hba = observation.index.hbas.get(item.name)
    if hba is None:
        return []
    read = read_storage_object(observation, hba, item.name)
    if read is None:
        raise UnexpectedStateError
    return [read]


def _lun(observation: Observation, item: lio_objects.TpgLun) -> None:
    number = observation.index.luns[item.iqn, item.tag].get(item.storage_object)
    if number is None:
        return
    path = f"{tpg_path(item.iqn, item.tag)}/lun/lun_{number}"
    if exported_storage_object(observation, path) != item.storage_object:
        raise UnexpectedStateError
    observe_lun(observation, item, number)


def _mapped_lun(observation: Observation, item: lio_objects.MappedLun) -> None:
    if not files.is_directory(
        f"{observation.root}/{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}/lun_{item.lun}"
    ):
        return
    number = observation.index.luns[item.iqn, item.tag].get(item.storage_object)
    luns = {} if number is None else {number: item.storage_object}
    observe_mapped_luns(
        observation, lio_objects.NodeAcl(item.iqn, item.tag, item.initiator), [item.lun], luns
    )
