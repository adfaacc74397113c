"""Observing the initiators of a target portal group: ACLs, mapped LUNs and sessions."""

from collections.abc import Iterable, Mapping

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import parse_directory_number, parse_dynamic_sessions, parse_session
from lunmapd.lio.observe.auth import ACL_AUTHENTICATION, AS_THE_TPG, observe_credentials

_MAX_OPEN = 64  # mapped LUNs whose files are open at the same time


def observe_acls(observation: Observation, iqn: str, tag: int, luns: Mapping[int, str]) -> None:
    """Record the TPG's ACLs, mapped LUNs and sessions.

    `luns` are its complete LUNs: number to storage object.
    """
    path = f"{tpg_path(iqn, tag)}/acls"
    if observation.skip_stuck(path):
        _add_stuck_maps(observation, path)
        return
    for initiator in observation.list_directories(path):
        observe_acl(observation, lio_objects.NodeAcl(iqn, tag, initiator))
        _observe_session(observation, iqn, tag, initiator)
        numbers = observation.list_numbers(f"{path}/{initiator}", "lun_")
        for first in range(0, len(numbers), _MAX_OPEN):
            some = numbers[first : first + _MAX_OPEN]
            observe_mapped_luns(observation, lio_objects.NodeAcl(iqn, tag, initiator), some, luns)


def observe_acl(observation: Observation, item: lio_objects.NodeAcl) -> None:
    """Record an ACL that exists."""
    path = f"{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}"
    credentials = observe_credentials(observation, f"{path}/auth")
    overrides = observation.read(f"{path}/{ACL_AUTHENTICATION}") not in {None, AS_THE_TPG}
    observation.add(lio_objects.NodeAcl(item.iqn, item.tag, item.initiator, credentials, overrides))


def _observe_session(observation: Observation, iqn: str, tag: int, initiator: str) -> None:
    """Record the session of an ACL.

    To open the file, the kernel compares its name with all mapped LUNs of the ACL (configfs_lookup in
    fs/configfs/dir.c): some 4 ms with 6,000 in User-Mode Linux.
    """
    session = parse_session(observation.read(f"{tpg_path(iqn, tag)}/acls/{initiator}/info") or "")
    if session:
        observation.sessions.append(IscsiSession(iqn, tag, initiator, *session))


def observe_dynamic_sessions(observation: Observation, iqn: str, tag: int) -> None:
    """Record the sessions of initiators without an ACL."""
    names = parse_dynamic_sessions(observation.read(f"{tpg_path(iqn, tag)}/dynamic_sessions") or "")
    observation.sessions.extend(IscsiSession(iqn, tag, name, "LOGGED_IN") for name in names)


def observe_mapped_luns(
    observation: Observation, acl: lio_objects.NodeAcl, numbers: Iterable[int], luns: Mapping[int, str]
) -> None:
    """Record mapped LUNs that exist; one that maps none of `luns` is a leftover."""
    path = f"{tpg_path(acl.iqn, acl.tag)}/acls/{acl.initiator}"
    storage_objects: dict[int, str] = {}
    for number in numbers:
        directory = f"{path}/lun_{number}"
        if observation.skip_stuck(directory):
            continue
        lun = parse_directory_number((observation.read_link(directory) or "").rpartition("/")[2], "lun_")
        if lun is None or lun not in luns:
            observation.add_leftover("mapped_lun", directory)
        else:
            storage_objects[number] = luns[lun]
    flags = observation.read_files(path, map(_write_protect, storage_objects))
    for number, name in storage_objects.items():
        write_protect = flags.get(_write_protect(number)) == "1"
        _add(observation, lio_objects.MappedLun(acl.iqn, acl.tag, acl.initiator, number, name, write_protect))


def _write_protect(number: int) -> str:
    return f"lun_{number}/write_protect"


def _add_stuck_maps(observation: Observation, path: str) -> None:
    for item in observation.stuck[path]:
        if isinstance(item, lio_objects.MappedLun):
            _add(observation, item)


def _add(observation: Observation, item: lio_objects.MappedLun) -> None:
    observation.add(item)
    observation.index.mapped_luns[item.iqn, item.tag].add(item)
