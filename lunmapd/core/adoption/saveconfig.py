"""Reading the saveconfig.json of targetcli and targetctl (rtslib's RTSRoot.dump). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import DecodeError, Struct, ValidationError, field, json

from lunmapd.core.adoption.foreign import (
    ForeignAcl,
    ForeignConfiguration,
    ForeignMap,
    ForeignStorage,
    ForeignTpg,
)
from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.base.errors import Exit, LunmapdError
from lunmapd.core.base.password import Secret
from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import MARK

_PLUGINS = {plugin.saved_name: plugin for plugin in PLUGINS.values()}
_DEFAULT_GROUP = "default_tg_pt_gp"


class NotSaveconfigError(LunmapdError):
    """The file is not a saveconfig.json of targetcli."""

    exit_code = Exit.INVALID


class _Storage(Struct):
    name: str
    plugin: str
    wwn: str = ""
    dev: str = ""
    config: str = ""
    size: int = 0
    write_back: bool = False
    nullio: bool = False
    attributes: dict[str, Any] = {}
    alua_tpgs: list[dict[str, Any]] = []


class _Lun(Struct):
    index: int
    storage_object: str


class _MappedLun(Struct):
    index: int
    tpg_lun: int
    write_protect: bool = False


class _Chap(Struct):
    chap_userid: str | None = None
    chap_password: str | None = None
    chap_mutual_userid: str | None = None
    chap_mutual_password: str | None = None

    def credentials(self) -> lio_objects.ChapCredentials:
        """Return the credentials; an incomplete pair counts as none, as in LIO."""
        if not self.chap_userid or not self.chap_password:
            return lio_objects.NO_CREDENTIALS
        one = self.chap_userid, Secret(self.chap_password)
        if not self.chap_mutual_userid or not self.chap_mutual_password:
            return lio_objects.ChapCredentials(*one)
        return lio_objects.ChapCredentials(*one, self.chap_mutual_userid, Secret(self.chap_mutual_password))


class _Acl(_Chap):
    node_wwn: str = ""
    mapped_luns: list[_MappedLun] = []
    attributes: dict[str, Any] = {}


class _Portal(Struct):
    ip_address: str
    port: int
    iser: bool = False


class _Tpg(Struct):
    tag: int
    enable: bool = True
    attributes: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    luns: list[_Lun] = []
    node_acls: list[_Acl] = []
    portals: list[_Portal] = []


class _Target(Struct):
    wwn: str
    fabric: str
    tpgs: list[_Tpg] = []


class _Fabric(Struct):
    name: str
    discovery_enable_auth: bool = False
    discovery_userid: str = ""
    discovery_password: str = ""
    discovery_mutual_userid: str = ""
    discovery_mutual_password: str = ""


class _File(Struct):
    storage_objects: list[_Storage]
    targets: list[_Target]
    fabric_modules: list[_Fabric] = field(default_factory=list)


def read_saveconfig(text: bytes, name: str) -> ForeignConfiguration:
    """Return the iSCSI configuration of a saveconfig.json; `name` is its path.

    Raises NotSaveconfigError, whose text has no value of the file.
    """
    saved = _decode(text, name)
    tpgs = tuple(
        _tpg(target.wwn, tpg) for target in saved.targets if target.fabric == "iscsi" for tpg in target.tpgs
    )
    storage = {f"/backstores/{item.plugin}/{item.name}": _storage(item) for item in saved.storage_objects}
    return ForeignConfiguration(storage, tpgs, next(_discovery(saved.fabric_modules), None))


class SavedTarget(Struct, frozen=True):
    """An iSCSI target of the file, and whether a TPG of it has lunmapd's mark."""

    iqn: str
    marked: bool


def saved_targets(text: bytes, name: str) -> tuple[SavedTarget, ...]:
    """Return the iSCSI targets of a saveconfig.json.

    Raises NotSaveconfigError, whose text has no value of the file.
    """
    return tuple(
        SavedTarget(target.wwn, any(tpg.parameters.get("TargetAlias") == MARK for tpg in target.tpgs))
        for target in _decode(text, name).targets
        if target.fabric == "iscsi"
    )


def _decode(text: bytes, name: str) -> _File:
    try:
        return json.decode(text, type=_File)
    except (ValidationError, DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotSaveconfigError(f"{name} is not a saveconfig.json: {error}") from None


def _storage(item: _Storage) -> ForeignStorage:
    attributes = _texts(item.attributes)
    plugin, named = _PLUGINS.get(item.plugin), attributes.get("emulate_model_alias") == "1"
    return ForeignStorage(
        item.name,
        item.plugin if plugin is None else plugin.name.value,
        item.config or item.dev,
        item.size if plugin is None or plugin.sized else 0,
        item.wwn,
        attributes,
        product=item.name[:16] if named else "",
        problem=next(_problems(item), ""),
    )


def _problems(item: _Storage) -> Iterator[str]:
    if item.plugin not in _PLUGINS:
        yield f"a map knows no {item.plugin} storage objects"
    if _PLUGINS.get(item.plugin) == PLUGINS[PluginName.FILEIO]:
        yield from fileio_problems(item.dev, device=item.dev.startswith("/dev/"), write_back=item.write_back)
    if item.nullio:
        yield "it discards all writes (nullio)"
    if any(group.get("name") != _DEFAULT_GROUP for group in item.alua_tpgs):
        yield OWN_GROUPS


OWN_GROUPS = "it has target port groups of its own: lunmapd makes those itself; delete them first"


def fileio_problems(path: str, *, device: bool, write_back: bool) -> Iterator[str]:
    """Yield the reasons why lunmapd can't adopt a fileio storage object."""
    if device:
        yield f"it is a fileio on the device {path}: lunmapd serves devices through block only"
    if write_back:
        yield (
            "it was opened with a write-back cache, which LIO can't disable while it is exported; lunmapd "
            "always writes through: "
            "make it anew with write_back=false"
        )


def _tpg(iqn: str, tpg: _Tpg) -> ForeignTpg:
    return ForeignTpg(
        iqn,
        tpg.tag,
        tpg.enable,
        attributes=_texts(tpg.attributes),
        parameters=_texts(tpg.parameters),
        luns={lun.index: lun.storage_object for lun in tpg.luns},
        acls=tuple(_acl(acl) for acl in tpg.node_acls),
        portals={_address(portal): portal.iser for portal in tpg.portals},
    )


def _acl(acl: _Acl) -> ForeignAcl:
    maps = tuple(ForeignMap(entry.index, entry.tpg_lun, entry.write_protect) for entry in acl.mapped_luns)
    return ForeignAcl(acl.node_wwn, acl.credentials(), maps, acl_problem(_texts(acl.attributes)))


def acl_problem(attributes: Mapping[str, str]) -> str:
    """Return why a map can't describe an ACL, "" if it can."""
    if attributes.get("authentication", "-1") != "-1":
        return "it has its own setting for CHAP: set its attribute authentication to -1"
    return ""


def _address(portal: _Portal) -> str:
    host = portal.ip_address.strip("[]")
    return f"[{host}]:{portal.port}" if ":" in host else f"{host}:{portal.port}"


def _discovery(fabrics: list[_Fabric]) -> Iterator[lio_objects.ChapCredentials]:
    for fabric in fabrics:
        if fabric.name == "iscsi" and fabric.discovery_enable_auth:
            yield _Chap(
                fabric.discovery_userid,
                fabric.discovery_password,
                fabric.discovery_mutual_userid,
                fabric.discovery_mutual_password,
            ).credentials()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()
    }
