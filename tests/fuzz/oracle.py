"""What a node must offer for a map: written from docs/map.md and docs/znodes.md, without code of lunmapd.

A map is a mapping from paths (`luns/a`) to documents as JSON has them.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fuzz.view import View

Document = Mapping[str, Any]
Map = Mapping[str, Document]


class Grant(NamedTuple):
    """A LUN that a map gives to an initiator, on whatever node. `access` is "rw" or "ro"."""

    iqn: str
    initiator: str
    number: str
    serial: str
    access: str


def expected(lunmap: Map, node: str, foreign: frozenset[str] = frozenset()) -> View:
    """Return the view of `node`; targets of other tools, `foreign`, are left alone."""
    facts: dict[tuple[str, ...], str] = {}
    itself = lunmap[f"nodes/{node}"]
    serves = {
        iqn: target
        for iqn, target in _all(lunmap, "targets")
        if node in target["nodes"] and iqn not in foreign
    }
    for iqn, target in serves.items():
        facts.update(_target(lunmap, iqn, target, node))
    for name, lun in _all(lunmap, "luns"):
        maps = [entry for entry in lun.get("maps", ()) if entry["target"] in serves]
        if not maps or node not in _reporting(lunmap, lun):
            continue
        facts["disk", name] = f"{lun['serial']} {_path(lun, node)}".strip()
        for entry in maps:
            facts.update(_mapping(lunmap, lun, entry, node, str(itself["tpg_tag"])))
    return facts


def grants(*versions: Map) -> set[Grant]:
    """Return every LUN that some version of a Lun and of a group gives to an initiator."""
    found = set[Grant]()
    for version in versions:
        for _, lun in _all(version, "luns"):
            for entry in lun.get("maps", ()) if "serial" in lun else ():
                for initiator in {one for other in versions for one in _initiators(other, entry)}:
                    found.add(
                        Grant(
                            entry["target"],
                            initiator,
                            str(entry["lun"]),
                            lun["serial"],
                            entry.get("access", "rw"),
                        )
                    )
    return found


def authentications(*versions: Map) -> set[tuple[str, str]]:
    """Return pairs of a target and what some version of it asks of logins: "0" for nothing, "1" for CHAP."""
    return {(iqn, _asks(target)) for version in versions for iqn, target in _all(version, "targets")}


def offered(lunmap: Map, node: str) -> set[tuple[str, str]]:
    """Return the TPGs that `node` enables for a map: target and tag."""
    itself = lunmap.get(f"nodes/{node}", {"state": "unknown"})
    if itself.get("state", "active") != "active":
        return set()
    return {
        (iqn, str(itself.get("tpg_tag")))
        for iqn, target in _all(lunmap, "targets")
        if node in target.get("nodes", ())
    }


def _asks(target: Document) -> str:
    return "0" if target.get("authentication", "none") == "none" else "1"


def _all(lunmap: Map, section: str) -> Iterator[tuple[str, Document]]:
    for path, document in lunmap.items():
        if path.startswith(f"{section}/"):
            yield path.partition("/")[2], document


def _initiators(lunmap: Map, entry: Document) -> tuple[str, ...]:
    if "initiator" in entry:
        return (entry["initiator"],)
    return tuple(lunmap.get(f"groups/{entry['group']}", {}).get("initiators", ()))


def _reporting(lunmap: Map, lun: Document) -> set[str]:
    """Return the nodes in `nodes`, by default all nodes that serve a target of the maps."""
    serving = {
        node
        for entry in lun.get("maps", ())
        for node in lunmap.get(f"targets/{entry['target']}", {"nodes": ()})["nodes"]
    }
    return serving & set(lun["nodes"]) if lun.get("nodes") else serving


def _path(lun: Document, node: str) -> str:
    backing = lun["backing"]
    path: str = backing.get("overrides", {}).get(node) or backing.get("path", "")
    return path if backing["type"] == "fileio" else ""


def _target(lunmap: Map, iqn: str, target: Document, node: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the node's own TPG, and one for each other active node, which is never enabled."""
    asks = _asks(target)
    for other, group in target["nodes"].items():
        document = lunmap[f"nodes/{other}"]
        tag, is_active = str(document["tpg_tag"]), document.get("state", "active") == "active"
        if other != node and not is_active:
            continue
        state = f"enabled as {group['port_id']}" if other == node and is_active else "disabled"
        listed = "1" if other == node else "0"
        yield ("tpg", iqn, tag), f"{state}, closed, authentication {asks}, sendtargets {listed}"
        for address in group.get("portals") or document["portals"]:
            yield ("portal", iqn, tag, address), ""


def _mapping(
    lunmap: Map, lun: Document, entry: Document, node: str, tag: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    iqn = entry["target"]
    target = lunmap[f"targets/{iqn}"]
    for initiator in _initiators(lunmap, entry):
        yield ("acl", iqn, tag, initiator), _credentials(lunmap, target, initiator)
        for other in target["nodes"]:
            document = lunmap[f"nodes/{other}"]
            if other != node and document.get("state", "active") == "active":
                yield ("acl", iqn, str(document["tpg_tag"]), initiator), "chap /"
        access = entry.get("access", "rw")
        yield ("lun", iqn, tag, initiator, str(entry["lun"])), f"{lun['serial']} {access}"


def _credentials(lunmap: Map, target: Document, initiator: str) -> str:
    """CHAP is accepted from who has it, also where none is asked; mutual CHAP only where it is."""
    document = lunmap.get(f"initiators/{initiator}", {})
    user = document.get("chap", {}).get("user", "")
    is_mutual = target.get("authentication") == "mutual-chap"
    return f"chap {user}/{document.get('mutual_chap', {}).get('user', '') if is_mutual else ''}"
