"""Looking at the initiators of a target portal group: ACLs, mapped LUNs and sessions."""

from collections.abc import Iterable, Mapping

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Session
from lunmapd.lio.base import parse
from lunmapd.lio.base.index import tpg_path
from lunmapd.lio.base.observation import Look
from lunmapd.lio.observe.auth import observe_credentials

_TOGETHER = 64  # mapped LUNs whose files are open at the same time


def observe_acls(look: Look, iqn: str, tag: int, luns: Mapping[int, str]) -> None:
    """Note the TPG's ACLs, mapped LUNs and sessions. `luns` are its whole LUNs, number to storage object."""
    path = f"{tpg_path(iqn, tag)}/acls"
    if look.keep(path):
        _keep_maps(look, path)
        return
    for initiator in look.directories(path):
        observe_acl(look, lio_objects.NodeAcl(iqn, tag, initiator))
        names = look.directories(f"{path}/{initiator}")
        numbers = [number for name in names if (number := parse.directory_number(name, "lun_")) is not None]
        for first in range(0, len(numbers), _TOGETHER):
            some = numbers[first : first + _TOGETHER]
            observe_mapped_luns(look, lio_objects.NodeAcl(iqn, tag, initiator), some, luns)


def observe_acl(look: Look, item: lio_objects.NodeAcl) -> None:
    """Note an ACL that is there, and its session."""
    path = f"{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}"
    look.add(
        lio_objects.NodeAcl(item.iqn, item.tag, item.initiator, observe_credentials(look, f"{path}/auth"))
    )
    found = parse.session(look.read(f"{path}/info") or "")
    if found:
        look.sessions.append(Session(item.iqn, item.tag, item.initiator, *found))


def observe_dynamic_sessions(look: Look, iqn: str, tag: int) -> None:
    """Note the initiators that are logged in without an ACL."""
    names = parse.dynamic_sessions(look.read(f"{tpg_path(iqn, tag)}/dynamic_sessions") or "")
    look.sessions.extend(Session(iqn, tag, name, "LOGGED_IN") for name in names)


def observe_mapped_luns(
    look: Look, acl: lio_objects.NodeAcl, numbers: Iterable[int], luns: Mapping[int, str]
) -> None:
    """Note mapped LUNs that are there; one that maps none of `luns` is left over."""
    path = f"{tpg_path(acl.iqn, acl.tag)}/acls/{acl.initiator}"
    found: dict[int, str] = {}
    for number in numbers:
        directory = f"{path}/lun_{number}"
        if look.keep(directory):
            continue
        lun = parse.directory_number((look.link(directory) or "").rpartition("/")[2], "lun_")
        if lun is None or lun not in luns:
            look.leftover("mapped_lun", directory)
        else:
            found[number] = luns[lun]
    flags = look.read_all(path, map(_write_protect, found))
    for number, name in found.items():
        write_protect = flags.get(_write_protect(number)) == "1"
        _add(look, lio_objects.MappedLun(acl.iqn, acl.tag, acl.initiator, number, name, write_protect))


def _write_protect(number: int) -> str:
    return f"lun_{number}/write_protect"


def _keep_maps(look: Look, path: str) -> None:
    for item in look.held[path]:
        if isinstance(item, lio_objects.MappedLun):
            _add(look, item)


def _add(look: Look, item: lio_objects.MappedLun) -> None:
    look.add(item)
    look.places.maps[item.iqn, item.tag].add(item)
