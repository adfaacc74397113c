"""Looking at the initiators of a target portal group: ACLs, mapped LUNs and sessions."""

from collections.abc import Mapping

from lunmapd.core import lio
from lunmapd.core.observed import Session
from lunmapd.lio import parse
from lunmapd.lio.auth import observe_credentials
from lunmapd.lio.look import Look
from lunmapd.lio.places import tpg_path


def observe_acls(look: Look, iqn: str, tag: int, luns: Mapping[int, str]) -> None:
    """Note the TPG's ACLs, mapped LUNs and sessions. `luns` are its whole LUNs, number to storage object."""
    path = f"{tpg_path(iqn, tag)}/acls"
    if look.keep(path):
        _keep_maps(look, path)
        return
    for initiator in look.directories(path):
        observe_acl(look, lio.NodeAcl(iqn, tag, initiator))
        for name in look.directories(f"{path}/{initiator}"):
            number = parse.directory_number(name, "lun_")
            if number is not None:
                observe_mapped_lun(look, lio.NodeAcl(iqn, tag, initiator), number, luns)


def observe_acl(look: Look, item: lio.NodeAcl) -> None:
    """Note an ACL that is there, and its session."""
    path = f"{tpg_path(item.iqn, item.tag)}/acls/{item.initiator}"
    look.add(lio.NodeAcl(item.iqn, item.tag, item.initiator, observe_credentials(look, f"{path}/auth")))
    found = parse.session(look.read(f"{path}/info") or "")
    if found:
        look.sessions.append(Session(item.iqn, item.tag, item.initiator, *found))


def observe_dynamic_sessions(look: Look, iqn: str, tag: int) -> None:
    """Note the initiators that are logged in without an ACL."""
    names = parse.dynamic_sessions(look.read(f"{tpg_path(iqn, tag)}/dynamic_sessions") or "")
    look.sessions.extend(Session(iqn, tag, name, "LOGGED_IN") for name in names)


def observe_mapped_lun(look: Look, acl: lio.NodeAcl, number: int, luns: Mapping[int, str]) -> None:
    """Note a mapped LUN that is there; one that maps none of `luns` is left over."""
    path = f"{tpg_path(acl.iqn, acl.tag)}/acls/{acl.initiator}/lun_{number}"
    if look.keep(path):
        return
    lun = parse.directory_number((look.link(path) or "").rpartition("/")[2], "lun_")
    if lun is None or lun not in luns:
        look.leftover("mapped_lun", path)
        return
    write_protect = look.read(f"{path}/write_protect") == "1"
    _add(look, lio.MappedLun(acl.iqn, acl.tag, acl.initiator, number, luns[lun], write_protect))


def _keep_maps(look: Look, path: str) -> None:
    for item in look.held[path]:
        if isinstance(item, lio.MappedLun):
            _add(look, item)


def _add(look: Look, item: lio.MappedLun) -> None:
    look.add(item)
    look.places.maps[item.iqn, item.tag].add(item)
