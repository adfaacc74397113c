"""Looking at what other tools have made: everything that an adoption needs to know. Only reads."""

import stat
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.adoption.convert import PRODUCTS
from lunmapd.core.adoption.foreign import Found, FoundAcl, FoundMap, FoundStorage, FoundTpg
from lunmapd.core.adoption.saveconfig import OWN_GROUPS, acl_trouble, file_troubles
from lunmapd.core.base.attributes import PARAMETERS, STORAGE, TPG
from lunmapd.core.node.observed import Session
from lunmapd.core.node.project import STORAGE_ATTRIBUTES, TPG_ATTRIBUTES
from lunmapd.lio.base import alias, parse
from lunmapd.lio.base.index import FIRST_INDEX, index_of, tpg_path
from lunmapd.lio.base.observation import Look
from lunmapd.lio.observe.auth import DISCOVERY, observe_credentials
from lunmapd.lio.observe.tpgs import is_marked

_HARDWARE = ("hw_block_size", "hw_queue_depth", "hw_max_sectors")
_NO_TARGETS = ("discovery_auth",)


def survey(root: Path) -> Found:
    """Look below `root`, configfs' target directory, at what is not ours. Raises OSError if it can't be read."""
    look = Look(root)
    tpgs = tuple(_tpgs(look))
    exported = {key for tpg in tpgs for key in tpg.luns.values()}
    enforced = look.read(f"{DISCOVERY}/enforce_discovery_auth") == "1"
    discovery = observe_credentials(look, DISCOVERY) if enforced else None
    return Found(dict(_storage(look, exported)), tpgs, discovery, tuple(look.sessions))


def _storage(look: Look, exported: AbstractSet[str]) -> Iterator[tuple[str, FoundStorage]]:
    """Yield what is not ours, or `exported` by a target that is not: there a taking over was killed before it came to the target."""
    for hba in look.directories("core"):
        plugin = hba.rpartition("_")[0]
        if not 0 <= index_of(hba) < FIRST_INDEX or plugin not in STORAGE_ATTRIBUTES:
            continue
        for name in look.directories(f"core/{hba}"):
            path, key = f"core/{hba}/{name}", f"{hba}/{name}"
            if key in exported or not alias.parse(plugin, look.read(f"{path}/alias") or "").adopted:
                yield key, _storage_object(look, path, plugin, name)


def _storage_object(look: Look, path: str, plugin: str, name: str) -> FoundStorage:
    info = look.read(f"{path}/info") or ""
    backing = look.read(f"{path}/{parse.backing_file(plugin)}") or ""
    source, size = parse.backing(plugin, backing) or ("", 0)
    known = [attribute for kind, attribute in STORAGE if kind == plugin]
    attributes = look.settings(f"{path}/attrib", {*STORAGE_ATTRIBUTES[plugin], *known, *_HARDWARE})
    return FoundStorage(
        name,
        plugin,
        source,
        size,
        parse.serial(look.read(f"{path}/wwn/vpd_unit_serial") or ""),
        dict(attributes),
        look.read(f"{path}/wwn/vendor_id") or "",
        look.read(f"{path}/wwn/product_id") or PRODUCTS.get(plugin, ""),
        next(_troubles(look, path, plugin, source, info), ""),
    )


def _troubles(look: Look, path: str, plugin: str, source: str, info: str) -> Iterator[str]:
    if not source and plugin != "rd_mcp":
        yield "it is not configured, or its path has a space"
    if plugin == "fileio" and source:
        yield from file_troubles(source, device=not _is_file(source), write_back=parse.writes_back(info))
    if parse.throws_away(info):
        yield "it throws away what is written (nullio)"
    if set(look.directories(f"{path}/alua")) - {"default_tg_pt_gp"}:
        yield OWN_GROUPS


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True


def _tpgs(look: Look) -> Iterator[FoundTpg]:
    for iqn in sorted(look.directories("iscsi")):
        if iqn in _NO_TARGETS:
            continue
        for name in look.directories(f"iscsi/{iqn}"):
            tag = parse.directory_number(name, "tpgt_")
            if tag is not None and not is_marked(look, iqn, tag):
                yield _tpg(look, iqn, tag)


def _tpg(look: Look, iqn: str, tag: int) -> FoundTpg:
    path = tpg_path(iqn, tag)
    governed = [name for name, _ in TPG_ATTRIBUTES]
    return FoundTpg(
        iqn,
        tag,
        look.read(f"{path}/enable") == "1",
        int(look.read(f"{path}/rtpi") or "0", 16),
        dict(look.settings(f"{path}/attrib", {*governed, *TPG})),
        dict(look.settings(f"{path}/param", PARAMETERS)),
        dict(_links(look, f"{path}/lun")),
        tuple(_acl(look, iqn, tag, name) for name in sorted(look.directories(f"{path}/acls"))),
        {
            address: look.read(f"{path}/np/{address}/iser") == "1"
            for address in look.directories(f"{path}/np")
        },
    )


def _links(look: Look, path: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers of the LUNs in a directory, with the last two parts of where each leads."""
    for name in look.directories(path):
        number = parse.directory_number(name, "lun_")
        if number is not None:
            yield number, "/".join((look.link(f"{path}/{name}") or "").split("/")[-2:])


def _acl(look: Look, iqn: str, tag: int, initiator: str) -> FoundAcl:
    path = f"{tpg_path(iqn, tag)}/acls/{initiator}"
    logged_in = parse.session(look.read(f"{path}/info") or "")
    if logged_in:
        look.sessions.append(Session(iqn, tag, initiator, *logged_in))
    maps = tuple(
        FoundMap(number, _lun(link), look.read(f"{path}/lun_{number}/write_protect") == "1")
        for number, link in sorted(_links(look, path))
    )
    attributes = dict(look.settings(f"{path}/attrib", ("authentication",)))
    return FoundAcl(initiator, observe_credentials(look, f"{path}/auth"), maps, acl_trouble(attributes))


def _lun(link: str) -> int:
    number = parse.directory_number(link.rpartition("/")[2], "lun_")
    return -1 if number is None else number
