"""The rules of a map: everything is checked, every problem reported with the object and field it concerns."""

import itertools
from collections.abc import Callable, Iterable, Iterator

from lunmapd.core import names
from lunmapd.core.backings import FileIO, source
from lunmapd.core.errors import Place, Problem
from lunmapd.core.lunmap import Lun, Lunmap, Map, Node, Target, initiators_of

_SECTOR = 512


def problems(lunmap: Lunmap) -> tuple[Problem, ...]:
    """Check a whole map; returns every problem in the order of the map, empty when it may be committed."""
    checks = (_luns, _maps, _targets, _initiators, _groups, _nodes, _unique)
    return tuple(itertools.chain.from_iterable(check(lunmap) for check in checks))


def change_problems(before: Lunmap, after: Lunmap) -> tuple[Problem, ...]:
    """Check what a commit may not do to a Lun that stays: change its serial, or make it smaller."""
    return tuple(
        problem
        for name in before.luns.keys() & after.luns.keys()
        for problem in _lun_change(name, before.luns[name], after.luns[name])
    )


def _lun_change(name: str, before: Lun, after: Lun) -> Iterator[Problem]:
    if before.serial != after.serial:
        yield Problem(
            ("luns", name, "serial"),
            f"a serial never changes: it is {before.serial!r}; make a new Lun instead",
        )
    if before.size and after.size and after.size < before.size:
        yield Problem(
            ("luns", name, "size"),
            f"a Lun can't shrink: it has {before.size} bytes; initiators would lose data",
        )


def _check(place: Place, checker: Callable[[str], str | None], value: str) -> Iterator[Problem]:
    if sentence := checker(value):
        yield Problem(place, sentence)


def _luns(lunmap: Lunmap) -> Iterator[Problem]:
    for name, lun in lunmap.luns.items():
        place: Place = ("luns", name)
        yield from _check(place, names.check_name, name)
        yield from _check((*place, "serial"), names.check_serial, lun.serial)
        yield from _check((*place, "backing", "path"), names.check_path, source(lun.backing))
        if lun.size is None and isinstance(lun.backing, FileIO):
            yield Problem((*place, "size"), "a fileio Lun needs a size")
        if lun.size is not None and (lun.size <= 0 or lun.size % _SECTOR):
            yield Problem((*place, "size"), f"{lun.size} bytes is not a positive multiple of {_SECTOR}")


def _maps(lunmap: Lunmap) -> Iterator[Problem]:
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            yield from _map(lunmap, ("luns", name, "maps", index), entry)


def _map(lunmap: Lunmap, place: Place, entry: Map) -> Iterator[Problem]:
    if entry.target not in lunmap.targets:
        yield Problem((*place, "target"), f"there is no target {entry.target!r}")
    if bool(entry.initiator) == bool(entry.group):
        yield Problem(place, "give either an initiator or a group")
    elif entry.group and entry.group not in lunmap.groups:
        yield Problem((*place, "group"), f"there is no group {entry.group!r}")
    elif entry.initiator and entry.initiator not in lunmap.initiators:
        yield Problem((*place, "initiator"), f"there is no initiator {entry.initiator!r}")
    if not 0 <= entry.lun <= names.MAX_LUN_NUMBER:
        yield Problem((*place, "lun"), f"{entry.lun} is not a LUN number: use 0 to {names.MAX_LUN_NUMBER}")


def _targets(lunmap: Lunmap) -> Iterator[Problem]:
    for iqn, target in lunmap.targets.items():
        yield from _check(("targets", iqn), names.check_iscsi_name, iqn)
        yield from _target_nodes(lunmap, iqn, target)


def _target_nodes(lunmap: Lunmap, iqn: str, target: Target) -> Iterator[Problem]:
    for name, group in target.nodes.items():
        place: Place = ("targets", iqn, "nodes", name)
        if name not in lunmap.nodes:
            yield Problem(place, f"there is no node {name!r}")
        elif not lunmap.nodes[name].portals:
            yield Problem(place, f"node {name!r} has no portals to serve a target through")
        if not 0 < group.port_id <= names.MAX_TAG:
            yield Problem((*place, "port_id"), f"{group.port_id} is not a port id: use 1 to {names.MAX_TAG}")


def _initiators(lunmap: Lunmap) -> Iterator[Problem]:
    for iqn in lunmap.initiators:
        yield from _check(("initiators", iqn), names.check_iscsi_name, iqn)


def _groups(lunmap: Lunmap) -> Iterator[Problem]:
    for name, group in lunmap.groups.items():
        yield from _check(("groups", name), names.check_name, name)
        for index, iqn in enumerate(group.initiators):
            place: Place = ("groups", name, "initiators", index)
            if iqn not in lunmap.initiators:
                yield Problem(place, f"there is no initiator {iqn!r}")
            if iqn in group.initiators[:index]:
                yield Problem(place, f"initiator {iqn!r} is given twice")


def _nodes(lunmap: Lunmap) -> Iterator[Problem]:
    for name, node in lunmap.nodes.items():
        yield from _check(("nodes", name), names.check_name, name)
        if not 0 < node.tpg_tag <= names.MAX_TAG:
            yield Problem(
                ("nodes", name, "tpg_tag"), f"{node.tpg_tag} is not a TPG tag: use 1 to {names.MAX_TAG}"
            )
        yield from _portals(name, node)


def _portals(name: str, node: Node) -> Iterator[Problem]:
    for index, portal in enumerate(node.portals):
        place: Place = ("nodes", name, "portals", index)
        yield from _check(place, _check_portal, portal)
        if portal in node.portals[:index]:
            yield Problem(place, f"portal {portal} is given twice")


def _check_portal(text: str) -> str | None:
    try:
        normal = names.parse_portal(text)
    except ValueError as error:
        return str(error)
    return None if text == normal else f"{text!r} must be spelled {normal!r}"


def _unique(lunmap: Lunmap) -> Iterator[Problem]:
    yield from _clashes(_naas(lunmap), "LIO derives the same NAA identifier from it as from")
    yield from _clashes(_paths(lunmap), "the same backing is already that of")
    yield from _clashes(_tags(lunmap), "the same TPG tag is already that of")
    yield from _clashes(_port_ids(lunmap), "the same port id is already that of")
    yield from _clashes(_addresses(lunmap), "the same portal is already that of")
    yield from _clashes(_numbers(lunmap), "this LUN number is already taken for this initiator and target by")
    yield from _clashes(
        _mappings(lunmap), "this Lun is already mapped to this initiator through this target in"
    )


Claim = tuple[object, Place, str]


def _clashes(claims: Iterable[Claim], sentence: str) -> Iterator[Problem]:
    """Report each second claim to a value; a claim is (value, place of the claim, who claims it)."""
    first: dict[object, str] = {}
    for value, place, who in claims:
        if value in first:
            yield Problem(place, f"{sentence} {first[value]}")
        else:
            first[value] = who


def _naas(lunmap: Lunmap) -> Iterator[Claim]:
    for name, lun in lunmap.luns.items():
        if names.check_serial(lun.serial) is None:
            yield names.naa(lun.serial), ("luns", name, "serial"), f"luns[{name}]"


def _paths(lunmap: Lunmap) -> Iterator[Claim]:
    for name, lun in lunmap.luns.items():
        yield source(lun.backing), ("luns", name, "backing", "path"), f"luns[{name}]"


def _tags(lunmap: Lunmap) -> Iterator[Claim]:
    for name, node in lunmap.nodes.items():
        yield node.tpg_tag, ("nodes", name, "tpg_tag"), f"nodes[{name}]"


def _port_ids(lunmap: Lunmap) -> Iterator[Claim]:
    for iqn, target in lunmap.targets.items():
        for name, group in target.nodes.items():
            yield group.port_id, ("targets", iqn, "nodes", name, "port_id"), f"targets[{iqn}].nodes.{name}"


def _addresses(lunmap: Lunmap) -> Iterator[Claim]:
    for name, node in lunmap.nodes.items():
        for index, portal in enumerate(dict.fromkeys(node.portals)):
            yield portal, ("nodes", name, "portals", index), f"nodes[{name}]"


def _numbers(lunmap: Lunmap) -> Iterator[Claim]:
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            for initiator in dict.fromkeys(initiators_of(lunmap, entry)):
                value = (entry.target, initiator, entry.lun)
                yield value, ("luns", name, "maps", index, "lun"), f"luns[{name}].maps[{index}]"


def _mappings(lunmap: Lunmap) -> Iterator[Claim]:
    for name, lun in lunmap.luns.items():
        for index, entry in enumerate(lun.maps):
            for initiator in dict.fromkeys(initiators_of(lunmap, entry)):
                value = (name, entry.target, initiator)
                yield value, ("luns", name, "maps", index), f"luns[{name}].maps[{index}]"
