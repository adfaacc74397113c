"""The rules of a changed map, at the cost of the change: an index that is kept with the map.

If a map keeps all rules, a problem of its successor concerns a changed object, an object that refers to one,
or two objects of which one claims what the other has. So the rules of `rules` run on that part of the map
only, with all objects that it refers to. If they find a problem there, the whole map is checked, so that the
report is that of `check_map`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from lunmapd.core.base import names
from lunmapd.core.base.backings import RamDisk, source
from lunmapd.core.base.errors import Problem
from lunmapd.core.base.lunmap import (
    SECTIONS,
    Document,
    Group,
    Initiator,
    Lun,
    Lunmap,
    Node,
    Target,
    initiators_of,
    nodes_of,
    reporting_nodes,
)
from lunmapd.core.history.changes import build_map
from lunmapd.core.history.map_change import ObjectName
from lunmapd.core.map import rules
from lunmapd.core.placement.backing_paths import source_on
from lunmapd.core.placement.leased_groups import preferred_nodes

if TYPE_CHECKING:
    from lunmapd.core.base.sections import Section

_Claim = tuple[str | int, ...]
_Key = TypeVar("_Key", _Claim, ObjectName)


class RuleIndex:
    """The index of one map: who refers to an object, and who claims a value that only one object may have."""

    def __init__(self, lunmap: Lunmap) -> None:
        """Index a map for which `check_map` returns no problem."""
        self.lunmap = lunmap
        self._claims: dict[ObjectName, frozenset[_Claim]] = {}
        self._holders: dict[_Claim, set[ObjectName]] = {}
        self._uses: dict[ObjectName, frozenset[ObjectName]] = {}
        self._users: dict[ObjectName, set[ObjectName]] = {}
        # The groups among the users: an initiator may have as many maps as there are Luns.
        self._groups: dict[ObjectName, set[ObjectName]] = {}
        self._add((section, name) for section, name, _ in lunmap.documents())

    def check(self, after: Lunmap, changed: Collection[ObjectName]) -> tuple[Problem, ...]:
        """Return `check_map(after)`; `changed` are the objects in which `after` differs from the map."""
        return rules.check_map(after) if rules.check_map(self._part(after, changed)) else ()

    def advance(self, after: Lunmap, changed: Collection[ObjectName]) -> None:
        """Make this the index of `after`, which has no problems and differs from the map in `changed`."""
        affected = self._affected(after, changed)
        self._remove(affected.union(changed))
        self.lunmap = after
        self._add(affected)

    def _add(self, objects: Iterable[ObjectName]) -> None:
        for each in objects:
            self._claims[each] = frozenset(_claims(self.lunmap, each))
            self._uses[each] = frozenset(_uses(_document(self.lunmap, each)))
            for claim in self._claims[each]:
                self._holders.setdefault(claim, set()).add(each)
            for used in self._uses[each]:
                for users in self._indexes_of_users(each):
                    users.setdefault(used, set()).add(each)

    def _remove(self, objects: Iterable[ObjectName]) -> None:
        for each in objects:
            for claim in self._claims.pop(each, ()):
                _discard(self._holders, claim, each)
            for used in self._uses.pop(each, ()):
                for users in self._indexes_of_users(each):
                    _discard(users, used, each)

    def _indexes_of_users(self, user: ObjectName) -> tuple[dict[ObjectName, set[ObjectName]], ...]:
        return (self._users, self._groups) if user[0] == "groups" else (self._users,)

    def _part(self, after: Lunmap, changed: Collection[ObjectName]) -> Lunmap:
        """Return the part of `after` in which a problem must be, if the map has none."""
        affected = self._affected(after, changed)
        rivals = {
            holder
            for each in affected
            for claim in self._wanted(after, each)
            for holder in self._holders.get(claim, ())
        }
        return part_with(after, affected | (rivals - set(changed)))

    def _affected(self, after: Lunmap, changed: Collection[ObjectName]) -> set[ObjectName]:
        """Return the changed objects of `after`, and those whose rules depend on how they changed."""
        found = set(changed)
        for each in changed:
            was, now = _document(self.lunmap, each), _document(after, each)
            if _concerns_users(was, now):
                users = self._users.get(each, set())
                found |= users.union(*(self._users.get(user, set()) for user in users))
            if _concerns_portals(was, now):
                found |= self._beside(after, each)
        return {each for each in found if _document(after, each) is not None}

    def _beside(self, after: Lunmap, each: ObjectName) -> set[ObjectName]:
        """Return the targets whose portals a node listens on together with those of a target or node."""
        served = {each} if each[0] == "targets" else self._users.get(each, set())
        nodes = {
            used
            for target in served
            for lunmap in (self.lunmap, after)
            for used in _uses(_document(lunmap, target))
            if target[0] == "targets"
        }
        return {user for node in nodes for user in self._users.get(node, ()) if user[0] == "targets"}

    def _wanted(self, after: Lunmap, each: ObjectName) -> Iterator[_Claim]:
        """Yield what an object of `after` claims, also by each other name of the initiators of its maps."""
        yield from _claims(after, each)
        document = _document(after, each)
        for entry in document.maps if isinstance(document, Lun) else ():
            for iqn in initiators_of(after, entry):
                yield (entry.target, "initiators", iqn, entry.lun)
                for section, name in self._groups.get(("initiators", iqn), ()):
                    yield (entry.target, section, name, entry.lun)


def _document(lunmap: Lunmap, each: ObjectName) -> Document | None:
    return lunmap.section(each[0]).get(each[1])


def _discard(sets: dict[_Key, set[ObjectName]], key: _Key, each: ObjectName) -> None:
    sets[key].discard(each)
    if not sets[key]:
        del sets[key]


def _concerns_users(was: Document | None, now: Document | None) -> bool:
    """Return whether the rules of the objects that refer to a changed one depend on the change."""
    match was, now:
        case Lun(), Lun():
            return False
        case Target(), Target():
            served = was.nodes.keys() != now.nodes.keys() or _lists(was) != _lists(now)
            return served or was.authentication != now.authentication
        case Group(), Group():
            return was.initiators != now.initiators
        case Initiator(), Initiator():
            return _login(was) != _login(now)
        case Node(), Node():
            return was.devices != now.devices
        case _:
            return True


def _login(initiator: Initiator) -> tuple[bool, bool, bool]:
    return initiator.chap is None, initiator.mutual_chap is None, initiator.probe


def _lists(target: Target) -> dict[str, tuple[str, ...]]:
    return {name: group.nodes for name, group in target.floating.items()}


def _concerns_portals(was: Document | None, now: Document | None) -> bool:
    """Return whether a change of a target or a node may change what nodes listen on."""
    if isinstance(was, Node) and isinstance(now, Node):
        return (was.portals, was.iser_portals) != (now.portals, now.iser_portals)
    if isinstance(was, Target) and isinstance(now, Target):
        return (was.nodes, was.floating) != (now.nodes, now.floating)
    return isinstance(was or now, Node | Target)


def _uses(document: Document | None) -> Iterator[ObjectName]:
    """Yield the objects that a document refers to, whether the map has them or not."""
    match document:
        case Lun():
            for entry in document.maps:
                yield "targets", entry.target
                yield ("groups", entry.group) if entry.group else ("initiators", entry.initiator)
            overrides = getattr(document.backing, "overrides", ())
            yield from (("nodes", node) for node in (*document.nodes, *overrides, *preferred_nodes(document)))
        case Target():
            yield from (("nodes", node) for node in nodes_of(document))
        case Group():
            yield from (("initiators", iqn) for iqn in document.initiators)
        case _:
            return


def part_with(lunmap: Lunmap, objects: Iterable[ObjectName]) -> Lunmap:
    """Return the part of a map that has these objects and all that they refer to, as far as it has them."""
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    waiting = list(objects)
    while waiting:
        section, name = each = waiting.pop()
        document = _document(lunmap, each)
        if document is not None and name not in sections[section]:
            sections[section][name] = document
            waiting.extend(_uses(document))
    return build_map(sections)


def _claims(lunmap: Lunmap, each: ObjectName) -> Iterator[_Claim]:
    """Yield the values of an object that only one may have: equal ones may clash (rules.unique)."""
    document = _document(lunmap, each)
    match document:
        case Lun():
            if names.check_serial(document.serial) is None:
                yield "naa", names.naa(document.serial)
            yield from (("source", text) for text in _sources(lunmap, document))
            for entry in document.maps:
                section = "groups" if entry.group else "initiators"
                yield entry.target, section, entry.group or entry.initiator, entry.lun
                if document.hook:
                    yield "hook", entry.target
        case Target():
            yield from (("port id", group.port_id) for group in document.nodes.values())
            yield from (("port id", group.port_id) for group in document.floating.values())
            yield from (("tag", group.tpg_tag) for group in document.floating.values())
            for group in document.floating.values():
                yield from (("address", address) for address in _addresses(group.portals))
        case Node():
            yield "tag", document.tpg_tag
            portals = (*document.portals, *document.iser_portals)
            yield from (("portal", portal) for portal in portals)
            yield from (("address", address) for address in _addresses(portals))
        case _:
            return


def _addresses(portals: Iterable[str]) -> Iterator[str]:
    """Yield the address of each portal that is one."""
    for portal in portals:
        with suppress(ValueError):
            yield names.parse_portal(portal).rpartition(":")[0]


def _sources(lunmap: Lunmap, lun: Lun) -> set[str]:
    """Return the paths or configurations of a Lun: its own, and those on the nodes that have others."""
    if isinstance(lun.backing, RamDisk):
        return set()
    nodes: Mapping[str, Node] = lunmap.nodes
    there = (node for node in reporting_nodes(lunmap, lun) if node in nodes and nodes[node].devices)
    return {
        source(lun.backing),
        *lun.backing.overrides.values(),
        *(source_on(lun, node, nodes[node]) for node in there),
    }
