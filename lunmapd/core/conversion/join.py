"""The maps of several nodes as one map. Pure.

A Lun is one volume on every node, so Luns with one WWID become one Lun of several nodes. A value that only
one node may have, a TPG tag or a relative target port id, stays that of the first node. Each further node
gets another value, so its targets must be made anew (`rolling_move` plans that).
"""

from collections.abc import Mapping, Sequence
from itertools import count

from msgspec import Struct, structs

from lunmapd.core.base.lunmap import Document, Node, PortalGroup, Target, initiators_of, reporting_nodes
from lunmapd.core.base.names import naa
from lunmapd.core.base.sections import Section
from lunmapd.core.conversion.conversion import Conversion, Notes
from lunmapd.core.conversion.join_luns import NodeLun, NodeMap, join_luns
from lunmapd.core.history.changes import build_map


class Rebuild(Struct, frozen=True):
    """A reason why the targets of a node must be made anew."""

    node: str
    reason: str


class Joined(Struct, frozen=True):
    """The map of all nodes, and the reasons to make the targets of some of them anew.

    `paths` are those of today: initiator and Lun to the nodes through which it sees the Lun by the files.
    """

    conversion: Conversion
    rebuilds: tuple[Rebuild, ...] = ()
    paths: Mapping[tuple[str, str], frozenset[str]] = {}


def join_maps(conversions: Sequence[tuple[str, Conversion]]) -> Joined:
    """Return the conversions of several files, each with its name, as one.

    A contradiction becomes a remark with both places; the map then has what the first file says.
    """
    if len(conversions) == 1:
        return Joined(conversions[0][1])
    notes = Notes()
    _join_notes(conversions, notes)
    maps = [NodeMap(label, conversion.lunmap) for label, conversion in conversions]
    nodes, rebuilds = _nodes(maps, notes)
    targets, more = _targets(maps, notes)
    named, renamed = _named(maps, notes)
    sections: dict[Section, dict[str, Document]] = {
        "luns": {},
        "targets": {**targets},
        "initiators": _first("initiators", maps, notes),
        "groups": _first("groups", maps, notes),
        "nodes": {**nodes},
    }
    bare = build_map(sections)
    lunmap = structs.replace(bare, luns=join_luns(bare, named, notes))
    return Joined(
        notes.conversion(lunmap), tuple(dict.fromkeys((*rebuilds, *more, *renamed))), _paths_today(named)
    )


def _paths_today(named: Mapping[str, Sequence[NodeLun]]) -> dict[tuple[str, str], frozenset[str]]:
    paths: dict[tuple[str, str], frozenset[str]] = {}
    for name, parts in named.items():
        for part in parts:
            lunmap = part.given.lunmap
            for entry in part.lun.maps:
                nodes = reporting_nodes(lunmap, structs.replace(part.lun, maps=(entry,)))
                for initiator in initiators_of(lunmap, entry):
                    paths[initiator, name] = paths.get((initiator, name), frozenset()).union(nodes)
    return paths


def _join_notes(conversions: Sequence[tuple[str, Conversion]], notes: Notes) -> None:
    origin: dict[tuple[str, str], str] = {}
    for label, conversion in conversions:
        notes.remarks += conversion.remarks
        for key, secret in conversion.passwords.items():
            first = origin.setdefault(key, label)
            if notes.passwords.setdefault(key, secret) != secret:
                notes.lost(f"{first} and {label}: {key[0]}", f"the passwords of {key[1]} differ")


def _first(section: Section, maps: Sequence[NodeMap], notes: Notes) -> dict[str, Document]:
    """Return the objects of a section of all maps."""
    found: dict[str, tuple[str, Document]] = {}
    for given in maps:
        for name, document in given.lunmap.section(section).items():
            label, first = found.setdefault(name, (given.label, document))
            if first != document:
                notes.lost(f"{label} and {given.label}: {section}[{name}]", _differ(first, document))
    return {name: document for name, (_, document) in found.items()}


def _differ(one: Document, other: Document) -> str:
    """Return a sentence about the fields that differ; the values may be secrets."""
    fields = [field for field in one.__struct_fields__ if getattr(one, field) != getattr(other, field)]
    return f"they differ in {', '.join(fields)}: the map has the first"


def _nodes(maps: Sequence[NodeMap], notes: Notes) -> tuple[dict[str, Node], list[Rebuild]]:
    """Return the nodes with a tag of their own each, and those whose tag is not the one that they have."""
    nodes: dict[str, Node] = {}
    rebuilds = []
    for name, node in _first("nodes", maps, notes).items():
        assert isinstance(node, Node)
        taken = {each.tpg_tag for each in nodes.values()}
        tag = node.tpg_tag if node.tpg_tag not in taken else next(n for n in count(1) if n not in taken)
        nodes[name] = structs.replace(node, tpg_tag=tag)
        if tag != node.tpg_tag:
            rebuilds.append(Rebuild(name, f"its TPGs get tag {tag}: {node.tpg_tag} is that of another node"))
    return nodes, rebuilds


def _targets(maps: Sequence[NodeMap], notes: Notes) -> tuple[dict[str, Target], list[Rebuild]]:
    """Return the targets of all maps, and the nodes whose relative target port ids another node has."""
    found: dict[str, tuple[str, Target]] = {}
    taken: set[int] = set()
    rebuilds = []
    for given in maps:
        for iqn, target in given.lunmap.targets.items():
            label, first = found.get(iqn, (given.label, structs.replace(target, nodes={})))
            bare = structs.replace(target, nodes=first.nodes)
            if bare != first:
                notes.lost(f"{label} and {given.label}: targets[{iqn}]", _differ(first, bare))
            groups, clashing = _groups(target, taken)
            found[iqn] = label, structs.replace(first, nodes=_appended(first.nodes, groups))
            rebuilds += [Rebuild(name, f"the port id of {iqn} is that of another node") for name in clashing]
    return {iqn: target for iqn, (_, target) in found.items()}, rebuilds


def _groups(target: Target, taken: set[int]) -> tuple[dict[str, PortalGroup], list[str]]:
    """Return the portal groups without the port ids that are taken, which the commit chooses anew."""
    clashing = [name for name, group in target.nodes.items() if group.port_id in taken]
    taken |= {group.port_id for group in target.nodes.values() if group.port_id}
    return {
        name: structs.replace(group, port_id=0) if name in clashing else group
        for name, group in target.nodes.items()
    }, clashing


def _appended(first: Mapping[str, PortalGroup], more: Mapping[str, PortalGroup]) -> dict[str, PortalGroup]:
    """Return the groups of both, the first ones first: a commit chooses missing port ids in this order."""
    return {**first, **{name: group for name, group in more.items() if name not in first}}


def _named(maps: Sequence[NodeMap], notes: Notes) -> tuple[dict[str, list[NodeLun]], list[Rebuild]]:
    """Return the Luns of all maps by their names in the joint map: those of one WWID share the first name."""
    names: dict[str, str] = {}
    named: dict[str, list[NodeLun]] = {}
    rebuilds = []
    for given in maps:
        for name, lun in given.lunmap.luns.items():
            wwid = naa(lun.serial) if lun.serial else f"{given.label}: {name}"
            chosen = names.setdefault(wwid, name if name not in named else _other_name(name, named))
            named.setdefault(chosen, []).append(NodeLun(given, lun, name))
            if chosen != name:
                notes.changed(f"{given.label}: luns[{name}]", f"it is luns[{chosen}] in the joint map")
                rebuilds += [
                    Rebuild(node, f"its storage object {name} gets the name {chosen}")
                    for node in given.lunmap.nodes
                ]
    return named, rebuilds


def _other_name(name: str, taken: Mapping[str, object]) -> str:
    return next(other for n in count(2) if (other := f"{name}-{n}") not in taken)
