"""Edits of the maps of a Lun: who sees it, as which number, and how."""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Access, Lun, Lunmap, Map, Shared, reporting_nodes
from lunmapd.core.base.text import first_of
from lunmapd.core.edits.errors import ChoiceNeededError, MappedOtherwiseError, NoNumberLeftError
from lunmapd.core.edits.find import Grantee, find_target
from lunmapd.core.edits.objects import with_object
from lunmapd.core.map.short_names import last_part

_MAX_NAMED = 5


class FreeNumbers(NamedTuple):
    """The numbers that were never used, from the history of the map.

    `lun` takes a map, a target, its initiators, and numbers to try first. `tag` takes a map.
    """

    lun: Callable[[Lunmap, str, Collection[str], Iterable[int]], int]
    tag: Callable[[Lunmap], int]


def first_unused(numbers: Iterable[int], kind: str) -> int:
    """Return the first of the free numbers. Raises NoNumberLeftError."""
    for number in numbers:
        return number
    raise NoNumberLeftError(f"every {kind} was used once: choose one, and name it as the refusal describes")


class AskedMap(Struct, frozen=True):
    """A map that is asked for: to whom, through which target; the rest is None if it is not given."""

    grantee: Grantee
    target: str
    number: int | None = None
    access: Access | None = None


def find_map_target(lunmap: Lunmap, name: str, grantee: Grantee, word: str = "") -> str:
    """Return the target of a map of a Lun to a grantee.

    "" stands for the one through which the grantee sees the Lun, else for that of all its maps, else for the
    only one of the map. Raises NoSuchNameError, and ChoiceNeededError if "" could be several or none.
    """
    maps = () if word else lunmap.luns[name].maps
    for targets in ({each.target for each in maps if grantee.has(each)}, {each.target for each in maps}):
        if len(targets) == 1:
            return targets.pop()
    return find_target(lunmap, word)


def map_lun(lunmap: Lunmap, name: str, asked: AskedMap, free: FreeNumbers) -> Lunmap:
    """Return the map in which a Lun is mapped; a map that is there gets the access that is asked for.

    A new map has the number that the Lun has for others at the target, if that was never used by these
    initiators, else the lowest one. Raises MappedOtherwiseError.
    """
    lun = lunmap.luns[name]
    there = next((each for each in lun.maps if each.target == asked.target and asked.grantee.has(each)), None)
    if there is None:
        return _with_new_map(lunmap, name, asked, free)
    if asked.number not in {None, there.lun}:
        raise MappedOtherwiseError(
            f"{_short(asked.grantee)} sees {name} as LUN {there.lun}: remove the device on the hosts and "
            f"'lunmapctl unmap {name} {_short(asked.grantee)}' first"
        )
    changed = replace(there, access=asked.access or there.access)
    maps = tuple(changed if each is there else each for each in lun.maps)
    return lunmap if maps == lun.maps else with_object(lunmap, "luns", name, replace(lun, maps=maps))


def _with_new_map(lunmap: Lunmap, name: str, asked: AskedMap, free: FreeNumbers) -> Lunmap:
    lun, members = lunmap.luns[name], asked.grantee.members(lunmap)
    if through := _mapped_by_group(lunmap, lun, asked):
        is_same = asked.number in {None, through.lun} and asked.access in {None, through.access}
        if is_same:
            return lunmap
        raise MappedOtherwiseError(
            f"{_short(asked.grantee)} sees {name} as LUN {through.lun}, {through.access}, as a member of "
            f"group:{through.group}: take it out of the group first, or name the group"
        )
    number = asked.number
    if number is None:
        others = [each.lun for each in lun.maps if each.target == asked.target]
        number = free.lun(lunmap, asked.target, members, others)
    entry = Map(asked.target, number, *asked.grantee, access=asked.access or Access.READ_WRITE)
    return with_object(lunmap, "luns", name, replace(lun, maps=(*lun.maps, entry)))


def _mapped_by_group(lunmap: Lunmap, lun: Lun, asked: AskedMap) -> Map | None:
    """Return the map by which a single host sees the Lun as a member of a group, None for none."""
    host = asked.grantee.initiator
    for each in lun.maps:
        is_member = each.group in lunmap.groups and host in lunmap.groups[each.group].initiators
        if host and each.target == asked.target and is_member:
            return each
    return None


def with_shared(lunmap: Lunmap, name: str, shared: Shared | None) -> Lunmap:
    """Return the map in which a Lun that several nodes report has a choice of `shared`.

    Without one it gets that of all other Luns, if these have the same. Raises ChoiceNeededError.
    """
    lun = lunmap.luns[name]
    if shared is not None:
        return with_object(lunmap, "luns", name, replace(lun, shared=shared))
    if lun.shared is not None or len(reporting_nodes(lunmap, lun)) < 2:  # noqa: PLR2004 - several
        return lunmap
    others = {each.shared for each in lunmap.luns.values() if each.shared is not None}
    if len(others) != 1:
        raise ChoiceNeededError(
            f"several nodes would report {name}, and LIO keeps reservations and the locks of COMPARE AND "
            "WRITE in each node: add --shared off, or --shared per-node if each host uses them on one node "
            "only"
        )
    return with_object(lunmap, "luns", name, replace(lun, shared=others.pop()))


def unmap_lun(lunmap: Lunmap, name: str, grantee: Grantee | None, target: str = "") -> Lunmap:
    """Return the map in which a Lun is not mapped to an initiator or group; None stands for all of them.

    "" stands for all targets. Raises MappedOtherwiseError if an initiator would still see the Lun as a member
    of a group.
    """
    lun = lunmap.luns[name]
    kept = _kept(lun, grantee, target)
    if grantee is not None:
        _check_unseen(lunmap, name, kept, grantee, target)
    return lunmap if kept == lun.maps else with_object(lunmap, "luns", name, replace(lun, maps=kept))


def _check_unseen(lunmap: Lunmap, name: str, kept: Iterable[Map], grantee: Grantee, target: str) -> None:
    for each in kept:
        group = lunmap.groups.get(each.group)
        if group and grantee.initiator in group.initiators and target in {"", each.target}:
            host = last_part(grantee.initiator)
            raise MappedOtherwiseError(
                f"{host} sees {name} as a member of group:{each.group}: 'lunmapctl group remove {each.group} "
                f"{host}' takes all Luns of the group from it, 'lunmapctl unmap {name} group:{each.group}' "
                "the Lun from all members"
            )


def without_maps(lunmap: Lunmap, *, grantee: Grantee | None = None, target: str = "") -> Lunmap:
    """Return the map without any map to a grantee (None: to all) through a target ("": through all)."""
    for name in lunmap.luns:
        kept = _kept(lunmap.luns[name], grantee, target)
        if kept != lunmap.luns[name].maps:
            lunmap = with_object(lunmap, "luns", name, replace(lunmap.luns[name], maps=kept))
    return lunmap


def _kept(lun: Lun, grantee: Grantee | None, target: str) -> tuple[Map, ...]:
    """Return the maps of a Lun but those to a grantee (None: to all) through a target ("": through all)."""
    return tuple(
        each
        for each in lun.maps
        if (target and each.target != target) or not (grantee is None or grantee.has(each))
    )


def show_grantees(lun: Lun) -> str:
    """Return the hosts and groups of a Lun in short, for a message."""
    return first_of([_short(Grantee(each.initiator, each.group)) for each in lun.maps], _MAX_NAMED)


def _short(grantee: Grantee) -> str:
    return str(grantee) if grantee.group else last_part(grantee.initiator)
