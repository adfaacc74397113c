"""A node's objects as a saveconfig.json: what targetctl restores in place of lunmapd. Pure.

Only keys that every rtslib since 2.1 accepts are written: it passes each key of a storage object to the
constructor of the object's class (RTSRoot.restore in rtslib's root.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from lunmapd.core.adoption.saveconfig import MODEL_LENGTH
from lunmapd.core.base.backings import DEFAULT_VENDOR, PLUGINS, PluginName
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.governed import MARK

_Saved = dict[str, Any]
_STATES = {
    AluaState.OPTIMIZED: 0,
    AluaState.NON_OPTIMIZED: 1,
    AluaState.STANDBY: 2,
    AluaState.UNAVAILABLE: 3,
}
_IMPLICIT = 1


class Exported(Struct, frozen=True):
    """The content of the file, which may have passwords, and what the format can't express, as sentences.

    `initiators` are those with an ACL; `has_discovery_chap`: discovery requires CHAP.
    """

    content: _Saved
    losses: tuple[str, ...] = ()
    initiators: tuple[str, ...] = ()
    has_discovery_chap: bool = False

    def __repr__(self) -> str:
        return f"Exported(..., {len(self.losses)} losses)"


def export_saveconfig(desired: lio_objects.DesiredObjects) -> Exported:
    """Return the file for the desired objects of a node, with the credentials that they have."""
    items = tuple(desired.values())
    storage = [item for item in items if isinstance(item, lio_objects.StorageObject)]
    targets = [item for item in items if isinstance(item, lio_objects.Target)]
    paths = {item.name: f"/backstores/{PLUGINS[item.plugin].saved_name}/{item.name}" for item in storage}
    content = {
        "storage_objects": [_storage(item) for item in storage],
        "targets": [_target(item.iqn, items, paths) for item in targets],
        "fabric_modules": [_fabric(items)],
    }
    acls = (item.initiator for item in items if isinstance(item, lio_objects.NodeAcl))
    return Exported(
        content,
        tuple(_losses(storage)),
        tuple(sorted(set(acls))),
        has_discovery_chap=lio_objects.DISCOVERY_AUTH in desired,
    )


def _losses(storage: Iterable[lio_objects.StorageObject]) -> Iterator[str]:
    for item in storage:
        if item.vendor not in {"", DEFAULT_VENDOR}:
            yield f"{item.name}: its vendor {item.vendor!r}: hosts see {DEFAULT_VENDOR!r}"
        if item.product and not _is_named(item):
            yield f"{item.name}: its product {item.product!r}: hosts see {PLUGINS[item.plugin].product!r}"


def _is_named(item: lio_objects.StorageObject) -> bool:
    """Return whether LIO shows the name of the storage object as its product (emulate_model_alias)."""
    return item.product == item.name[:MODEL_LENGTH]


def _storage(item: lio_objects.StorageObject) -> _Saved:
    plugin = PLUGINS[item.plugin]
    saved: _Saved = {"name": item.name, "plugin": plugin.saved_name}
    if item.path:
        saved["config" if plugin.name is PluginName.USER else "dev"] = item.path
    if plugin.sized:
        saved["size"] = item.size
    if not plugin.own_inquiry:
        saved["wwn"] = item.serial
    if plugin.name is PluginName.FILEIO:
        saved["write_back"] = False
    attributes = _numbers(item.attributes)
    if item.product and _is_named(item):
        attributes["emulate_model_alias"] = 1
    groups = [] if item.alua is None else [_group(item.alua)]
    return {**saved, "attributes": attributes, "alua_tpgs": groups}


def _group(alua: Alua) -> _Saved:
    return {
        "name": MARK,
        "tg_pt_gp_id": alua.id,
        "alua_access_type": _IMPLICIT,
        "alua_access_state": _STATES[AluaState(alua.state)],
        "preferred": int(alua.preferred),
        "nonop_delay_msecs": 0,
    }


def _target(iqn: str, items: Iterable[lio_objects.DesiredObject], paths: Mapping[str, str]) -> _Saved:
    """`paths` are those of the storage objects in the file, by name."""
    mine = [item for item in items if getattr(item, "iqn", None) == iqn]
    tpgs = [_tpg(item, mine, paths) for item in mine if isinstance(item, lio_objects.Tpg)]
    return {"wwn": iqn, "fabric": "iscsi", "tpgs": tpgs}


def _tpg(
    tpg: lio_objects.Tpg, items: Iterable[lio_objects.DesiredObject], paths: Mapping[str, str]
) -> _Saved:
    mine = [item for item in items if getattr(item, "tag", None) == tpg.tag]
    luns = [item for item in mine if isinstance(item, lio_objects.TpgLun)]
    numbers = {item.storage_object: number for number, item in enumerate(luns)}
    return {
        "tag": tpg.tag,
        "enable": any(isinstance(item, lio_objects.Enabled) for item in mine),
        "attributes": _numbers(tpg.attributes),
        # lunmapd's mark would make the target lunmapd's.
        "parameters": {name: text for name, text in tpg.parameters if text != MARK},
        "luns": [_lun(number, item, paths) for number, item in enumerate(luns)],
        "portals": [_portal(item) for item in mine if isinstance(item, lio_objects.Portal)],
        "node_acls": [_acl(item, mine, numbers) for item in mine if isinstance(item, lio_objects.NodeAcl)],
    }


def _lun(number: int, item: lio_objects.TpgLun, paths: Mapping[str, str]) -> _Saved:
    group = {"alua_tg_pt_gp_name": MARK} if item.group else {}
    return {"index": number, "storage_object": paths[item.storage_object], **group}


def _portal(item: lio_objects.Portal) -> _Saved:
    host, _, port = item.address.rpartition(":")
    return {"ip_address": host, "port": int(port), "iser": item.iser}


def _acl(
    acl: lio_objects.NodeAcl, items: Iterable[lio_objects.DesiredObject], numbers: Mapping[str, int]
) -> _Saved:
    maps = [
        {"index": item.lun, "tpg_lun": numbers[item.storage_object], "write_protect": item.write_protect}
        for item in items
        if isinstance(item, lio_objects.MappedLun) and item.initiator == acl.initiator
    ]
    return {"node_wwn": acl.initiator, "mapped_luns": maps, **_chap("chap", acl.credentials)}


def _fabric(items: Iterable[lio_objects.DesiredObject]) -> _Saved:
    found = next((item for item in items if isinstance(item, lio_objects.DiscoveryAuth)), None)
    credentials = found.credentials if found else lio_objects.NO_CREDENTIALS
    return {
        "name": "iscsi",
        **_chap("discovery", credentials),
        "discovery_enable_auth": found is not None,
    }


def _chap(prefix: str, credentials: lio_objects.ChapCredentials) -> dict[str, str]:
    values = {
        "userid": credentials.userid,
        "password": credentials.password.text,
        "mutual_userid": credentials.userid_mutual,
        "mutual_password": credentials.password_mutual.text,
    }
    return {f"{prefix}_{name}": text for name, text in values.items() if text}


def _numbers(attributes: lio_objects.AttributeValues) -> dict[str, int]:
    return {name: int(value) for name, value in attributes}
