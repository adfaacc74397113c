"""Reading the saveconfig.json of targetcli and targetctl (rtslib's RTSRoot.dump). Pure."""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, convert, json

from lunmapd.core.adoption.foreign import (
    ForeignAcl,
    ForeignConfiguration,
    ForeignMap,
    ForeignStorage,
    ForeignTpg,
)
from lunmapd.core.adoption.losses import (
    acl_losses,
    control_losses,
    group_losses,
    overrides_authentication,
    storage_losses,
    target_losses,
    tpg_losses,
)
from lunmapd.core.adoption.saved_file import (
    SavedAcl,
    SavedChap,
    SavedFabric,
    SavedFile,
    SavedPortal,
    SavedStorage,
    SavedTpg,
    SavedWwn,
)
from lunmapd.core.adoption.saved_keys import restorable, unread_keys
from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.names import parse_portal
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK

_PLUGINS = {plugin.saved_name: plugin for plugin in PLUGINS.values()}
_DEFAULT_GROUP = "default_tg_pt_gp"
_GROUP_NAMES = {"name", "tg_pt_gp_id"}
MODEL_LENGTH = 15
"""LIO shows as many characters of a name as the product (dev_set_t10_wwn_model_alias)."""


class NotSaveconfigError(LunmapdError):
    """The file is not a saveconfig.json of targetcli."""

    exit_code = Exit.INVALID


def read_saveconfig(text: bytes, name: str) -> ForeignConfiguration:
    """Return the iSCSI configuration of a saveconfig.json, as rtslib restores it; `name` is its path.

    Raises NotSaveconfigError, whose text has no value of the file.
    """
    saved, raw, notes = _decode(text, name)
    tpgs = tuple(
        _tpg(target, tpg, tag, tuple(unread_keys(mapping, target)))
        for target, mapping in zip(saved.targets, raw.get("targets", ()), strict=True)
        if target.fabric == "iscsi"
        for tpg, tag in zip(target.tpgs, _tags(target.tpgs), strict=True)
    )
    storage = {
        f"/backstores/{item.plugin}/{item.name}": _storage(item, tuple(unread_keys(mapping, item)))
        for item, mapping in zip(saved.storage_objects, raw.get("storage_objects", ()), strict=True)
    }
    fabrics = [
        fabric for fabric in saved.fabric_modules if fabric.name == "iscsi" and fabric.discovery_enable_auth
    ]
    discovery = next(map(_discovery, fabrics), None)
    return ForeignConfiguration(storage, tpgs, discovery, others=_others(saved), notes=notes)


def _tags(tpgs: list[SavedTpg]) -> list[int]:
    """Return the tags of a target's TPGs; rtslib gives one without a tag the lowest that is free then."""
    tags: list[int] = []
    for tpg in tpgs:
        free = next(tag for tag in count(1) if tag not in tags)
        tags.append(free if tpg.tag is None else tpg.tag)
    return tags


def _others(saved: SavedFile) -> dict[str, tuple[str, ...]]:
    exported = {
        f"{target.fabric} {target.wwn}": tuple(lun.storage_object for tpg in target.tpgs for lun in tpg.luns)
        for target in saved.targets
        if target.fabric != "iscsi"
    }
    return {name: keys for name, keys in exported.items() if keys}


class SavedTarget(Struct, frozen=True):
    """An iSCSI target of the file, and whether a TPG of it has lunmapd's mark."""

    iqn: str
    marked: bool


def saved_targets(text: bytes, name: str) -> tuple[SavedTarget, ...]:
    """Return the iSCSI targets of a saveconfig.json.

    Raises NotSaveconfigError, whose text has no value of the file.
    """
    return tuple(
        SavedTarget(
            _iscsi_name(target.wwn), any(tpg.parameters.get("TargetAlias") == MARK for tpg in target.tpgs)
        )
        for target in _decode(text, name)[0].targets
        if target.fabric == "iscsi"
    )


def _decode(text: bytes, name: str) -> tuple[SavedFile, dict[str, Any], tuple[str, ...]]:
    """Return the file, its JSON without the objects that rtslib skips, and a sentence for each of these."""
    notes: list[str] = []
    try:
        raw = restorable(json.decode(text), notes)
        if not isinstance(raw, dict) or not raw.keys() & {"storage_objects", "targets"}:
            raise NotSaveconfigError(f"{name} is not a saveconfig.json: it has no targets")
        return convert(raw, SavedFile, strict=False), raw, tuple(notes)
    except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotSaveconfigError(f"{name} is not a saveconfig.json: {error}") from None


def _iscsi_name(text: str) -> str:
    """Return an iSCSI name as rtslib writes it (_cleanse_wwn in its utils.py)."""
    return text.strip().lower()


def _storage(item: SavedStorage, unread: tuple[str, ...]) -> ForeignStorage:
    attributes = _texts(item.attributes)
    plugin, named = _PLUGINS.get(item.plugin), attributes.get("emulate_model_alias") == "1"
    return ForeignStorage(
        item.name,
        item.plugin if plugin is None else plugin.name.value,
        item.config or item.dev,
        item.size if plugin is None or plugin.sized else 0,
        item.wwn,
        attributes,
        product=item.name[:MODEL_LENGTH] if named else "",
        read_only=item.readonly,
        problems=(*_problems(item), *unread),
    )


def _problems(item: SavedStorage) -> Iterator[str]:
    plugin = _PLUGINS.get(item.plugin)
    if plugin is None:
        yield f"a map knows no {item.plugin} storage objects"
        return
    yield from storage_losses(plugin.name, _texts(item.attributes))
    if plugin.sized and not item.size:
        yield "its size is 0 in this file: write the size of its file or device, in bytes"
    if plugin.name is PluginName.FILEIO:
        yield from fileio_problems(item.dev, device=item.dev.startswith("/dev/"), write_back=item.write_back)
    if item.nullio:
        yield DISCARDING
    if item.aio:
        yield ASYNCHRONOUS
    if not item.exclusive:
        yield SHARED_DEVICE
    yield from control_losses(_control(item))
    yield from _group_problems(item)


def _group_problems(item: SavedStorage) -> Iterator[str]:
    if any(group.get("name") != _DEFAULT_GROUP for group in item.alua_tpgs):
        yield OWN_GROUPS
    for group in item.alua_tpgs:
        if group.get("name") == _DEFAULT_GROUP:
            known = {
                key: value for key, value in group.items() if key not in _GROUP_NAMES and value is not None
            }
            yield from group_losses(_texts(known))


def _control(item: SavedStorage) -> dict[str, str]:
    """Return the settings that a program's device was made with."""
    pairs = (pair.strip().partition("=") for pair in (item.control or "").split(",") if pair.strip())
    sectors = {} if item.hw_max_sectors is None else {"hw_max_sectors": str(item.hw_max_sectors)}
    return {name: value for name, _, value in pairs} | sectors


ANEW = "that interrupts its I/O"
OWN_GROUPS = (
    "it has target port groups of its own, and lunmapd makes those itself: delete them (rmdir in its "
    "directory alua); its LUNs return to default_tg_pt_gp, which is active/optimized, and sessions stay"
)
ASYNCHRONOUS = (
    "it was opened for asynchronous I/O (aio), and lunmapd opens files without: make it anew with aio=false; "
    f"{ANEW}"
)
DISCARDING = f"it discards all writes (nullio): make it anew without; {ANEW}"
SHARED_DEVICE = (
    "its device was not opened exclusively, and lunmapd opens devices so: make it anew with exclusive=true; "
    f"{ANEW}"
)
TPG_CHAP = "its TPG has CHAP credentials of its own, which only demo mode uses: clear them; sessions stay"
OFFLOAD = "it is offloaded to a network card, which lunmapd does not do: set offload=false; sessions end"


def fileio_problems(path: str, *, device: bool, write_back: bool) -> Iterator[str]:
    """Yield the reasons why lunmapd can't adopt a fileio storage object."""
    if device:
        yield (
            f"it is a fileio on the device {path}, and lunmapd serves devices through block only: make it "
            f"anew as a block storage object with the same name and wwn; {ANEW}"
        )
    if write_back:
        yield (
            "it was opened with a write-back cache, which LIO can't disable while it is open, and lunmapd "
            f"always writes through: make it anew with write_back=false and the same name and wwn; {ANEW}"
        )


def _tpg(target: SavedWwn, tpg: SavedTpg, tag: int, unread: tuple[str, ...]) -> ForeignTpg:
    attributes, parameters = _texts(tpg.attributes), _texts(tpg.parameters)
    return ForeignTpg(
        _iscsi_name(target.wwn),
        tag,
        tpg.enable,
        attributes=attributes,
        parameters=parameters,
        luns={lun.index: lun.storage_object for lun in tpg.luns},
        acls=tuple(_acl(acl, attributes) for acl in tpg.node_acls),
        portals={_address(portal): portal.iser for portal in tpg.portals},
        problems=(
            *_tpg_problems(tpg),
            *target_losses(_texts(target.parameters)),
            *tpg_losses(attributes, parameters),
            *unread,
        ),
    )


def _tpg_problems(tpg: SavedTpg) -> Iterator[str]:
    if tpg.chap_userid or tpg.chap_mutual_userid:
        yield TPG_CHAP
    yield from (f"portal {_address(portal)}: {OFFLOAD}" for portal in tpg.portals if portal.offload)
    if any(lun.alua_tg_pt_gp_name not in {None, "", _DEFAULT_GROUP} for lun in tpg.luns):
        yield OWN_GROUPS


def _acl(acl: SavedAcl, tpg_attributes: Mapping[str, str]) -> ForeignAcl:
    maps = tuple(ForeignMap(entry.index, entry.tpg_lun, entry.write_protect) for entry in acl.mapped_luns)
    attributes = _texts(acl.attributes)
    return ForeignAcl(
        _iscsi_name(acl.node_wwn),
        acl.credentials(),
        maps,
        tuple(acl_losses(attributes, tpg_attributes)),
        overrides_authentication(attributes),
        acl.tag or "",
    )


def _address(portal: SavedPortal) -> str:
    """Return a portal as a map has it; unchanged if no map can have it.

    targetcli's `::0` is `::`.
    """
    host = portal.ip_address.strip("[]")
    address = f"[{host}]:{portal.port}" if ":" in host else f"{host}:{portal.port}"
    try:
        return parse_portal(address)
    except ValueError:
        return address


def _discovery(fabric: SavedFabric) -> lio_objects.ChapCredentials:
    return SavedChap(
        fabric.discovery_userid,
        fabric.discovery_password,
        fabric.discovery_mutual_userid,
        fabric.discovery_mutual_password,
    ).credentials()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()
    }
