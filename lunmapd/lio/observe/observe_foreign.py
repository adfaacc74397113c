"""Observing the objects of other tools, with everything that an adoption needs. Only reads."""

import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.adoption.foreign import (
    ForeignAcl,
    ForeignConfiguration,
    ForeignMap,
    ForeignStorage,
    ForeignTpg,
)
from lunmapd.core.adoption.saveconfig import OWN_GROUPS, acl_problem, fileio_problems
from lunmapd.core.base.attributes import PARAMETERS, STORAGE, TPG
from lunmapd.core.base.backings import PLUGINS, PluginName
from lunmapd.core.node.observed import IscsiSession
from lunmapd.core.node.project import TPG_ATTRIBUTES
from lunmapd.lio.base.alias import parse_alias
from lunmapd.lio.base.index import FIRST_INDEX, parse_hba_index, tpg_path
from lunmapd.lio.base.observation import Observation
from lunmapd.lio.base.parse import (
    backing_info_file,
    discards_writes,
    parse_backing,
    parse_directory_number,
    parse_serial,
    parse_session,
    writes_back,
)
from lunmapd.lio.observe.auth import DISCOVERY, observe_credentials
from lunmapd.lio.observe.tpgs import is_marked

_HARDWARE = ("hw_block_size", "hw_queue_depth", "hw_max_sectors")
_NO_TARGETS = ("discovery_auth",)


def observe_foreign(root: Path) -> ForeignConfiguration:
    """Read the objects below `root`, configfs' target directory, that are not lunmapd's. Raises OSError."""
    observation = Observation(root)
    tpgs = tuple(_tpgs(observation))
    exported = {key for tpg in tpgs for key in tpg.luns.values()}
    enforced = observation.read(f"{DISCOVERY}/enforce_discovery_auth") == "1"
    discovery = observe_credentials(observation, DISCOVERY) if enforced else None
    return ForeignConfiguration(
        dict(_storage(observation, exported)), tpgs, discovery, tuple(observation.sessions)
    )


def _storage(observation: Observation, exported: AbstractSet[str]) -> Iterator[tuple[str, ForeignStorage]]:
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
                yield key, _storage_object(observation, path, plugin, name)


def _storage_object(observation: Observation, path: str, plugin: str, name: str) -> ForeignStorage:
    info = observation.read(f"{path}/info") or ""
    backing = observation.read(f"{path}/{backing_info_file(plugin)}") or ""
    source, size = parse_backing(plugin, backing) or ("", 0)
    known = [attribute for kind, attribute in STORAGE if kind == plugin]
    attributes = observation.read_settings(f"{path}/attrib", {*PLUGINS[plugin].governed, *known, *_HARDWARE})
    return ForeignStorage(
        name,
        plugin,
        source,
        size,
        parse_serial(observation.read(f"{path}/wwn/vpd_unit_serial") or ""),
        dict(attributes),
        observation.read(f"{path}/wwn/vendor_id") or "",
        observation.read(f"{path}/wwn/product_id") or PLUGINS[plugin].product,
        next(_problems(observation, path, plugin, source, info), ""),
    )


def _problems(observation: Observation, path: str, plugin: str, source: str, info: str) -> Iterator[str]:
    if not source and plugin != PluginName.RD_MCP:
        yield "it is not configured, or its path has a space"
    if plugin == PluginName.FILEIO and source:
        yield from fileio_problems(source, device=not _is_file(source), write_back=writes_back(info))
    if discards_writes(info):
        yield "it discards all writes (nullio)"
    if set(observation.list_directories(f"{path}/alua")) - {"default_tg_pt_gp"}:
        yield OWN_GROUPS


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
    governed = [name for name, _ in TPG_ATTRIBUTES]
    return ForeignTpg(
        iqn,
        tag,
        observation.read(f"{path}/enable") == "1",
        int(observation.read(f"{path}/rtpi") or "0", 16),
        dict(observation.read_settings(f"{path}/attrib", {*governed, *TPG})),
        dict(observation.read_settings(f"{path}/param", PARAMETERS)),
        dict(_links(observation, f"{path}/lun")),
        tuple(
            _acl(observation, iqn, tag, name) for name in sorted(observation.list_directories(f"{path}/acls"))
        ),
        {
            address: observation.read(f"{path}/np/{address}/iser") == "1"
            for address in observation.list_directories(f"{path}/np")
        },
    )


def _links(observation: Observation, path: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers of the LUNs in a directory, with the last two parts of the target of each link."""
    for name in observation.list_directories(path):
        number = parse_directory_number(name, "lun_")
        if number is not None:
            yield number, "/".join((observation.read_link(f"{path}/{name}") or "").split("/")[-2:])


def _acl(observation: Observation, iqn: str, tag: int, initiator: str) -> ForeignAcl:
    path = f"{tpg_path(iqn, tag)}/acls/{initiator}"
    logged_in = parse_session(observation.read(f"{path}/info") or "")
    if logged_in:
        observation.sessions.append(IscsiSession(iqn, tag, initiator, *logged_in))
    maps = tuple(
        ForeignMap(number, _lun(link), observation.read(f"{path}/lun_{number}/write_protect") == "1")
        for number, link in sorted(_links(observation, path))
    )
    attributes = dict(observation.read_settings(f"{path}/attrib", ("authentication",)))
    return ForeignAcl(
        initiator, observe_credentials(observation, f"{path}/auth"), maps, acl_problem(attributes)
    )


def _lun(link: str) -> int:
    number = parse_directory_number(link.rpartition("/")[2], "lun_")
    return -1 if number is None else number
