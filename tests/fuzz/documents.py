"""Random maps that a commit would accept, and random out-of-band edits of their documents."""

import copy
import random
from collections.abc import Callable
from typing import Any

from msgspec import json

from fuzz.oracle import Map
from fuzz.view import FOREIGN
from lunmapd.core.base.documents import decode, encode
from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.base.password import Secret
from lunmapd.core.history.changes import build_map, split_path
from lunmapd.core.map.rules import check_map
from lunmapd.core.secrets.sealing import NONCE_BYTES, Vault, keyring

CLUSTER = "c"
VAULT = Vault(CLUSTER, keyring([b"k" * 32]))
NODE = "n1"
TARGETS = ("iqn.2026-01.org.example:a", "iqn.2026-01.org.example:b")
HOSTS = tuple(f"iqn.2026-01.org.example:h{number}" for number in (1, 2, 3))
GROUPS = ("both", "some")
LUNS = ("a", "b", "c", "d", "e", "f", "g", "h")
MIB = 1 << 20
_MAX_TRIES = 40

Edit = Callable[[random.Random, dict[str, Any]], None]


def canonical(path: str, document: Any) -> bytes:
    """Return the bytes of a document as a commit writes them."""
    section, name = split_path(path)
    return encode(decode(json.encode(document), SECTIONS[section], (section, name)))


def as_lunmap(lunmap: Map) -> Lunmap:
    """Return the map in the types of lunmapd."""
    sections: dict[Any, dict[str, Any]] = {section: {} for section in SECTIONS}
    for path, document in lunmap.items():
        section, name = split_path(path)
        sections[section][name] = decode(json.encode(document), SECTIONS[section], (section, name))
    return build_map(sections)


def first_map() -> dict[str, Any]:
    """Return a map with nodes, hosts and targets, and without Luns."""
    found: dict[str, Any] = {
        f"nodes/{name}": {"tpg_tag": tag, "portals": [f"10.9.8.{tag}:3260", f"[fd00::{tag}]:3260"]}
        for tag, name in enumerate((NODE, "n2", "n3"), 1)
    }
    for number, host in enumerate(HOSTS):
        found[f"initiators/{host}"] = {} if number == 2 else _initiator(host, number)
    found["groups/both"] = {"initiators": list(HOSTS[:2])}
    for number, iqn in enumerate(TARGETS):
        found[f"targets/{iqn}"] = {"nodes": {NODE: {"port_id": 10 * number + 1}}}
    return found


def _initiator(host: str, number: int) -> dict[str, Any]:
    return {
        "chap": {"user": f"u{number}", "password": _sealed(host, "chap", f"a long secret{number}")},
        "mutual_chap": {"user": "san", "password": _sealed(host, "mutual_chap", f"answers secret{number}")},
    }


def _sealed(host: str, field: str, password: str) -> str:
    return VAULT.seal(f"initiators/{host}", field, Secret(password), b"n" * NONCE_BYTES)


def changed(source: random.Random, lunmap: Map, steps: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the map after some random changes, each of which keeps the rules."""
    result = dict(lunmap)
    for _ in range(steps):
        for _ in range(_MAX_TRIES):
            tried = copy.deepcopy(result)
            source.choice(_CHANGES)(source, tried, kinds)
            if tried != result and _has_own_paths(tried) and not check_map(as_lunmap(tried)):
                result = tried
                break
    return result


def _has_own_paths(lunmap: Map) -> bool:
    """Return whether no two Luns have one path: a commit may, and then a node serves one of them."""
    paths = [lunmap[path]["backing"].get("path", path) for path in _paths(lunmap, "luns")]
    return len(set(paths)) == len(paths)


def _paths(lunmap: Map, section: str) -> list[str]:
    return sorted(path for path in lunmap if path.startswith(f"{section}/"))


def _pick(source: random.Random, lunmap: Map, section: str) -> str | None:
    paths = _paths(lunmap, section)
    return source.choice(paths) if paths else None


def _add_lun(source: random.Random, lunmap: dict[str, Any], kinds: tuple[str, ...]) -> None:
    name = source.choice(LUNS)
    if f"luns/{name}" in lunmap:
        return
    serial = f"{LUNS.index(name):02x}{source.randrange(256):02x}" + "5" * 28
    lun: dict[str, Any] = {
        "backing": _backing(source, name, kinds),
        "serial": serial,
        "size": source.choice((1, 2)) * MIB,
    }
    lun["maps"] = [_map(source, lunmap) for _ in range(source.randint(1, 3))]
    if lun["backing"]["type"] == "ramdisk":
        lun["nodes"] = [NODE]
    elif source.random() < 0.7:
        lun["shared"] = {"reservations": "off", "compare_and_write": "off"}
        if source.random() < 0.4:
            lun["preferred"] = source.choice((NODE, "n2"))
    lunmap[f"luns/{name}"] = lun


def _backing(source: random.Random, name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    kind = source.choice(kinds)
    if kind == "ramdisk":
        return {"type": "ramdisk", "volatile": True}
    directory = "/dev/" if kind == "block" else "/srv/"
    return {"type": kind, "path": f"{directory}fuzz-{name}{source.choice(('', '', '2'))}"}


def _map(source: random.Random, lunmap: Map) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "target": (_pick(source, lunmap, "targets") or "").partition("/")[2],
        "lun": source.randrange(6),
        "access": source.choice(("rw", "ro")),
    }
    groups = _paths(lunmap, "groups")
    if groups and source.random() < 0.4:
        return entry | {"group": source.choice(groups).partition("/")[2]}
    return entry | {"initiator": source.choice(HOSTS)}


def _drop(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    path = _pick(source, lunmap, source.choice(("luns", "luns", "luns", "groups", "targets")))
    lunmap.pop(path or "", None)


def _drop_many(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    if source.random() < 0.2:
        for path in _paths(lunmap, "luns")[: source.randint(3, 8)]:
            del lunmap[path]


def _remap(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    path = _pick(source, lunmap, "luns")
    if path is None:
        return
    maps = lunmap[path].setdefault("maps", [])
    match source.randrange(4):
        case 0:
            maps.append(_map(source, lunmap))
        case 1 if maps:
            maps.pop(source.randrange(len(maps)))
        case 2 if maps:
            source.choice(maps)["lun"] = source.randrange(6)
        case _ if maps:
            entry = source.choice(maps)
            entry["access"] = "ro" if entry.get("access", "rw") == "rw" else "rw"


def _swap(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    """Let two Luns have each other's maps."""
    paths = _paths(lunmap, "luns")
    if len(paths) > 1:
        one, other = source.sample(paths, 2)
        lunmap[one]["maps"], lunmap[other]["maps"] = (
            lunmap[other].get("maps", []),
            lunmap[one].get("maps", []),
        )


def _rename(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    path = _pick(source, lunmap, "luns")
    fresh = f"luns/{source.choice(LUNS)}"
    if path is not None and fresh not in lunmap:
        lunmap[fresh] = lunmap.pop(path)


def _alter_lun(source: random.Random, lunmap: dict[str, Any], kinds: tuple[str, ...]) -> None:
    path = _pick(source, lunmap, "luns")
    if path is None:
        return
    lun = lunmap[path]
    match source.randrange(5):
        case 0:
            lun["size"] = source.choice((1, 2)) * MIB
        case 1:
            lun["backing"] = _backing(source, path.partition("/")[2], kinds)
        case 2:
            lun["serial"] = lun["serial"][:2] + f"{source.randrange(256):02x}" + "5" * 28
        case 3:
            lun["nodes"] = source.choice(([], [NODE], ["n2"], [NODE, "n2"]))
        case _:
            lun["others"] = source.choice(("optimized", "non-optimized", "standby"))


def _alter_target(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    iqn = source.choice((*TARGETS, *TARGETS, *TARGETS, FOREIGN))
    target = lunmap.setdefault(f"targets/{iqn}", {"nodes": {}})
    match source.randrange(3):
        case 0:
            target["authentication"] = source.choice(("none", "chap", "mutual-chap"))
        case 1:
            nodes = source.sample((NODE, "n2", "n3"), source.randint(1, 3))
            base = 10 * (*TARGETS, FOREIGN).index(iqn) + source.choice((0, 0, 100))
            target["nodes"] = {name: {"port_id": base + int(name[1:])} for name in sorted(nodes)}
        case _:
            for name, group in target["nodes"].items():
                some = [lunmap[f"nodes/{name}"]["portals"][0]]
                group["portals"] = source.choice(([], some))
    if not target["nodes"]:
        target["nodes"] = {NODE: {"port_id": 31}}


def _alter_node(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    node = lunmap[f"nodes/{source.choice((NODE, 'n2', 'n3'))}"]
    match source.randrange(4):
        case 0:
            node["tpg_tag"] = source.choice((node["tpg_tag"], 4, 5, 6, 7))
        case 1:
            node["portals"] = source.choice((node["portals"][:1], [*node["portals"], "10.9.8.9:3260"]))
        case _:
            node["state"] = source.choice(("active", "drained"))


def _alter_group(source: random.Random, lunmap: dict[str, Any], _: tuple[str, ...]) -> None:
    members = source.sample(HOSTS, source.randint(0, 3))
    lunmap[f"groups/{source.choice(GROUPS)}"] = {"initiators": sorted(members)}


_CHANGES = (
    _add_lun, _add_lun, _add_lun, _add_lun, _drop, _drop_many, _remap, _remap, _remap, _swap, _rename,
    _alter_lun, _alter_target, _alter_node, _alter_group,
)  # fmt: skip

_GARBAGE = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"tpg_tag":"x"}', b"[" * 300, b'{"maps":[{}]}')


def edited(
    source: random.Random, lunmap: Map, tree: dict[str, bytes], kinds: tuple[str, ...]
) -> dict[str, bytes]:
    """Return the tree after one out-of-band edit. `lunmap` is the map of the revisions."""
    result = dict(tree)
    if not result:
        return result
    path = source.choice(sorted(result))
    match source.randrange(4):
        case 0:
            del result[path]
        case 1:
            result[path] = source.choice(_GARBAGE)
        case _:
            for other, document in changed(source, lunmap, 1, kinds).items():
                if document != lunmap.get(other):
                    result[other] = canonical(other, document)
    return result
