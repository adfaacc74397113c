"""The probe in the map: which Luns it is asked for, whether it may be used, and how the map gives it Luns."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import count, filterfalse

from msgspec.structs import replace

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import Access, Initiator, Lun, Lunmap, Map, initiators_of
from lunmapd.core.base.text import nearest, suggestion


class UnknownNameError(LunmapdError):
    """The map has no object of a name that was given."""


class NoProbeError(LunmapdError):
    """The initiator is not one that a probe may use."""


def chosen_luns(lunmap: Lunmap, names: Iterable[str]) -> frozenset[str]:
    """Return the Luns of these names: a Lun, or all Luns of an initiator. Raises UnknownNameError."""
    chosen = set[str]()
    for name in names:
        if name in lunmap.luns:
            chosen.add(name)
        elif name in lunmap.initiators:
            chosen |= mapped_luns(lunmap, name)
        else:
            near = nearest(name, (*lunmap.luns, *lunmap.initiators))
            raise UnknownNameError(f"the map has no Lun and no initiator {name!r}{suggestion(near)}")
    return frozenset(chosen)


def mapped_luns(lunmap: Lunmap, initiator: str) -> frozenset[str]:
    """Return the Luns that are mapped to an initiator, by itself or in a group."""
    return frozenset(name for name, lun in lunmap.luns.items() if any(_maps_to(lunmap, lun, initiator)))


def _maps_to(lunmap: Lunmap, lun: Lun, initiator: str) -> Iterator[Map]:
    return (entry for entry in lun.maps if initiator in initiators_of(lunmap, entry))


def check_probe(lunmap: Lunmap, iqn: str) -> Initiator:
    """Return the initiator of a probe. Raises NoProbeError for one that is a host or could write.

    The rules of commits refuse the latter too, but the tree may have out-of-band edits.
    """
    initiator = lunmap.initiators.get(iqn)
    if initiator is None or not initiator.probe:
        what = "is not in the map" if initiator is None else "is a host: it lacks 'probe: true'"
        raise NoProbeError(f"{iqn} {what}; 'lunmapctl probe-setup' makes a probe")
    for name, lun in lunmap.luns.items():
        if any(entry.access is not Access.READ_ONLY for entry in _maps_to(lunmap, lun, iqn)):
            raise NoProbeError(f"{iqn} could write to luns/{name}: map it with 'access: ro'")
    return initiator


def with_probe(lunmap: Lunmap, iqn: str, initiator: Initiator, luns: AbstractSet[str]) -> Lunmap:
    """Return the map with a probe that sees `luns` read-only, through each target that shows them to hosts.

    Maps that it has stay. Raises UnknownNameError.
    """
    taken = {
        target: {entry.lun for lun in lunmap.luns.values() for entry in _of(lunmap, lun, target, iqn)}
        for target in lunmap.targets
    }
    changed: dict[str, Lun] = {}
    for name in sorted(luns):
        if name not in lunmap.luns:
            raise UnknownNameError(
                f"the map has no Lun {name!r}{suggestion(nearest(name, tuple(lunmap.luns)))}"
            )
        lun = lunmap.luns[name]
        added = tuple(_new_maps(lunmap, lun, iqn, taken))
        changed[name] = replace(lun, maps=(*lun.maps, *added))
    initiators: Mapping[str, Initiator] = {**lunmap.initiators, iqn: initiator}
    return replace(lunmap, initiators=initiators, luns={**lunmap.luns, **changed})


def _new_maps(lunmap: Lunmap, lun: Lun, iqn: str, taken: Mapping[str, set[int]]) -> Iterator[Map]:
    """Yield a map for each target where the probe has none, with the lowest free number from 1 up."""
    for target in dict.fromkeys(entry.target for entry in lun.maps):
        if target in taken and not any(_of(lunmap, lun, target, iqn)):
            number = next(filterfalse(taken[target].__contains__, count(1)))
            taken[target].add(number)
            yield Map(target, number, iqn, access=Access.READ_ONLY)


def _of(lunmap: Lunmap, lun: Lun, target: str, iqn: str) -> Iterator[Map]:
    return (entry for entry in _maps_to(lunmap, lun, iqn) if entry.target == target)
