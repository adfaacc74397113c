"""Observing the objects of other tools, with everything that an adoption needs. Only reads."""

import stat
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.adoption.foreign import (
    ForeignAcl,
    ForeignConfiguration,
    ForeignMap,
    ForeignStorage,
    ForeignTpg,
)
from lunmapd.core.adoption.losses import (
    GROUP_SETTINGS,
    PORT_SETTINGS,
    acl_losses,
    control_losses,
    depth_losses,
    group_losses,
    identity_losses,
    overrides_authentication,
    port_losses,
    storage_losses,
    target_losses,
    tpg_losses,
)
from lunmapd.core.adoption.saveconfig import (
    ASYNCHRONOUS,
    DISCARDING,
    OFFLOAD,
    OWN_GROUPS,
    SHARED_DEVICE,
    TPG_CHAP,
    fileio_problems,
)
from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node.alua import DEFAULT_GROUP, DefaultGroup
from lunmapd.core.node.observed import IscsiSession
from lunmapd.lio.base import files
from lunmapd.lio.base.alias import parse_alias
from lunmapd.lio.base.index import FIRST_INDEX, parse_hba_index, tpg_path
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import (
    backing_info_file,
    discards_writes,
    is_misspelled,
    parse_backing,
    parse_device_numbers,
    parse_directory_number,
    parse_dynamic_sessions,
    parse_info,
    parse_portal_directory,
    parse_serial,
    parse_session,
    writes_back,
)
from lunmapd.lio.observe.alua import DEFAULT_GROUP_FILES, parse_default_group
from lunmapd.lio.observe.auth import DISCOVERY, observe_credentials
from lunmapd.lio.observe.tpgs import is_marked

_HARDWARE = ("hw_block_size", "hw_queue_depth", "hw_max_sectors")
_DEVICES = "/sys/dev/block"
_DEFAULT_LU_GROUP = "default_lu_gp"
# The settings of a program's device, and their names in `info` (tcmu_show_configfs_dev_params and
# transport_dump_dev_state).
_CONTROL = {
    "max_data_area_mb": "MaxDataAreaMB",
    "data_pages_per_blk": "DataPagesPerBlk",
    "hw_max_sectors": "HwMaxSectors",
}
_DEFAULT_GROUP = "default_tg_pt_gp"
_NO_TARGETS = ("discovery_auth",)
_NO_OTHER_FABRICS = ("core", "iscsi")


def observe_foreign(root: Path, devices: str = _DEVICES) -> ForeignConfiguration:
    """Read the objects below `root`, configfs' target directory, that are not lunmapd's. Raises OSError.

    `devices` is the directory of sysfs that has a block device at its numbers.
    """
    observation = Observation(root)
    tpgs = tuple(_tpgs(observation))
    exported = {key for tpg in tpgs for key in tpg.luns.values()}
    enforced = observation.read(f"{DISCOVERY}/enforce_discovery_auth") == "1"
    discovery = observe_credentials(observation, DISCOVERY) if enforced else None
    return ForeignConfiguration(
        dict(_storage(observation, exported, devices)),
        tpgs,
        discovery,
        tuple(observation.sessions),
        dict(_others(observation)),
    )


def _others(observation: Observation) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the targets of other fabrics, each with the storage objects that it exports."""
    for fabric in sorted(set(observation.list_directories("")) - set(_NO_OTHER_FABRICS)):
        for target in observation.list_directories(fabric):
            path = f"{fabric}/{target}"
            keys = [
                key
                for tpg in observation.list_directories(path)
                for _, key in _links(observation, f"{path}/{tpg}/lun")
                if key
            ]
            if keys:
                yield f"{fabric} {target}", tuple(keys)


def _storage(
    observation: Observation, exported: AbstractSet[str], devices: str
) -> Iterator[tuple[str, ForeignStorage]]:
    """Yield the storage objects of other tools by `HBA/NAME`.

    An adopted one counts as another tool's if it is `exported` by a TPG without mark: an earlier `adopt
    --take` was killed before it marked the TPG.
    """
    for hba in observation.list_directories("core"):
        plugin = hba.rpartition("_")[0]
        if not 0 <= parse_hba_index(hba) < FIRST_INDEX or plugin not in PLUGINS:
            continue
        for name in observation.list_directories(f"core/{hba}"):
            path, key = f"core/{hba}/{name}", f"{hba}/{name}"
            if key in exported or not parse_alias(plugin, observation.read(f"{path}/alias") or "").adopted:
                yield key, _storage_object(observation, path, plugin, name, devices)


def _storage_object(
    observation: Observation, path: str, plugin: str, name: str, devices: str
) -> ForeignStorage:
    info = observation.read(f"{path}/info") or ""
    backing = observation.read(f"{path}/{backing_info_file(plugin)}") or ""
    source, size = parse_backing(plugin, backing) or ("", 0)
    attributes = _settings(observation, f"{path}/attrib", _HARDWARE)
    return ForeignStorage(
        name,
        plugin,
        source,
        size,
        _serial(observation, path, plugin),
        attributes,
        observation.read(f"{path}/wwn/vendor_id") or "",
        observation.read(f"{path}/wwn/product_id") or PLUGINS[plugin].product,
        read_only=parse_info(info, "readonly") == "1",
        default_group=_default_group(observation, path, plugin),
        problems=(
            *_problems(observation, path, plugin, source, info),
            *_losses(observation, path, plugin, attributes, info),
            *(_device_problems(source, info, devices) if plugin == PluginName.IBLOCK else ()),
        ),
    )


def _serial(observation: Observation, path: str, plugin: str) -> str:
    """Return the serial, empty for a plugin whose device reports its own: the map gives it any other one."""
    if PLUGINS[plugin].own_inquiry:
        return ""
    return parse_serial(observation.read(f"{path}/wwn/vpd_unit_serial") or "")


def _default_group(observation: Observation, path: str, plugin: str) -> DefaultGroup:
    texts = observation.read_files(path, DEFAULT_GROUP_FILES) if PLUGINS[plugin].emulated else {}
    return parse_default_group(texts) if texts else DEFAULT_GROUP


def _settings(observation: Observation, path: str, more: Iterable[str] = ()) -> dict[str, str]:
    """Read the files of a directory that can be written, and `more` of it; a tool could have set each."""
    return dict(
        observation.read_settings(
            path, dict.fromkeys((*files.list_writable(f"{observation.root}/{path}"), *more))
        )
    )


def _problems(observation: Observation, path: str, plugin: str, source: str, info: str) -> Iterator[str]:
    if not source and plugin != PluginName.RD_MCP:
        yield "it is not configured, or its path has a space"
    if plugin == PluginName.FILEIO and source:
        yield from fileio_problems(source, device=not _is_file(source), write_back=writes_back(info))
    if discards_writes(info):
        yield DISCARDING
    if parse_info(info, "Async") == "1":
        yield ASYNCHRONOUS
    if parse_info(info, "exclusive") == "0":
        yield SHARED_DEVICE
    if set(observation.list_directories(f"{path}/alua")) - {_DEFAULT_GROUP}:
        yield OWN_GROUPS


def _losses(
    observation: Observation, path: str, plugin: str, attributes: Mapping[str, str], info: str
) -> Iterator[str]:
    yield from storage_losses(plugin, attributes)
    yield from identity_losses(plugin, _settings(observation, f"{path}/wwn"))
    yield from group_losses(dict(observation.read_settings(f"{path}/alua/{_DEFAULT_GROUP}", GROUP_SETTINGS)))
    if _DEFAULT_LU_GROUP not in (observation.read(f"{path}/alua_lu_gp") or _DEFAULT_LU_GROUP):
        yield "it is in a logical unit group of its own: put it back into default_lu_gp"
    if observation.read(f"{path}/lba_map"):
        yield "it has referrals (lba_map), which a map can't express"
    if plugin == PluginName.USER:
        given = {name: parse_info(info, word) for name, word in _CONTROL.items()}
        given["hw_block_size"] = attributes.get("hw_block_size")
        yield from control_losses({name: value for name, value in given.items() if value})


def _device_problems(source: str, info: str, devices: str) -> Iterator[str]:
    if files.read_file(f"{devices}/{parse_device_numbers(info)}/ro") == "1":
        yield f"the device {source} is read-only, and lunmapd opens devices for writing"


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True


def _tpgs(observation: Observation) -> Iterator[ForeignTpg]:
    for iqn in sorted(observation.list_directories("iscsi")):
        if iqn in _NO_TARGETS:
            continue
        for name in observation.list_directories(f"iscsi/{iqn}"):
            tag = parse_directory_number(name, "tpgt_")
            if tag is not None and not is_marked(observation, iqn, tag):
                yield _tpg(observation, iqn, tag)


def _tpg(observation: Observation, iqn: str, tag: int) -> ForeignTpg:
    path = tpg_path(iqn, tag)
    attributes = _settings(observation, f"{path}/attrib")
    parameters = _settings(observation, f"{path}/param")
    return ForeignTpg(
        iqn,
        tag,
        observation.read(f"{path}/enable") == "1",
        int(observation.read(f"{path}/rtpi") or "0", 16),
        attributes,
        parameters,
        dict(_links(observation, f"{path}/lun")),
        tuple(
            _acl(observation, iqn, tag, name, attributes)
            for name in sorted(observation.list_directories(f"{path}/acls"))
        ),
        {
            parse_portal_directory(name): observation.read(f"{path}/np/{name}/iser") == "1"
            for name in observation.list_directories(f"{path}/np")
        },
        (
            *target_losses(_settings(observation, f"iscsi/{iqn}/param")),
            *tpg_losses(attributes, parameters),
            *_tpg_problems(observation, path),
        ),
        tuple(sorted(parse_dynamic_sessions(observation.read(f"{path}/dynamic_sessions") or ""))),
    )


def _tpg_problems(observation: Observation, path: str) -> Iterator[str]:
    users = observation.read_files(f"{path}/auth", ("userid", "userid_mutual")).values()
    if any(user and not user.startswith("NULL") for user in users):
        yield TPG_CHAP
    for address in observation.list_directories(f"{path}/np"):
        if observation.read(f"{path}/np/{address}/cxgbit") == "1":
            yield f"portal {address}: {OFFLOAD}"
    for directory in (f"{path}/lun", *_acl_directories(observation, path)):
        for name in filter(_is_misspelled_lun, observation.list_directories(directory)):
            yield f"{directory.removeprefix(f'{path}/')}/{name}: LIO takes this name for a number: remove it"
    for name in observation.list_directories(f"{path}/lun"):
        settings = dict(observation.read_settings(f"{path}/lun/{name}", PORT_SETTINGS))
        yield from (f"{name}: {loss}" for loss in port_losses(settings))


def _acl_directories(observation: Observation, path: str) -> Iterator[str]:
    for initiator in observation.list_directories(f"{path}/acls"):
        yield f"{path}/acls/{initiator}"


def _is_misspelled_lun(name: str) -> bool:
    return is_misspelled(name, "lun_")


def _links(observation: Observation, path: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers of the LUNs in a directory, with the last two parts of the target of each link."""
    for name in observation.list_directories(path):
        number = parse_directory_number(name, "lun_")
        if number is not None:
            yield number, "/".join((observation.read_link(f"{path}/{name}") or "").split("/")[-2:])


def _acl(
    observation: Observation, iqn: str, tag: int, initiator: str, tpg_attributes: Mapping[str, str]
) -> ForeignAcl:
    path = f"{tpg_path(iqn, tag)}/acls/{initiator}"
    logged_in = parse_session(observation.read(f"{path}/info") or "")
    if logged_in:
        observation.sessions.append(IscsiSession(iqn, tag, initiator, *logged_in))
    maps = tuple(
        ForeignMap(number, _lun(link), observation.read(f"{path}/lun_{number}/write_protect") == "1")
        for number, link in sorted(_links(observation, path))
    )
    attributes = _settings(observation, f"{path}/attrib")
    problems = (
        *acl_losses(attributes, tpg_attributes),
        *depth_losses(observation.read(f"{path}/cmdsn_depth"), tpg_attributes),
    )
    credentials = observe_credentials(observation, f"{path}/auth")
    overrides = overrides_authentication(attributes)
    return ForeignAcl(
        initiator, credentials, maps, problems, overrides, observation.read(f"{path}/tag") or ""
    )


def _lun(link: str) -> int:
    number = parse_directory_number(link.rpartition("/")[2], "lun_")
    return -1 if number is None else number
