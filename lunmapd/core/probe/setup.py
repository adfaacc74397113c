"""The probe in the map: which Luns it is asked for, whether it may be used, and how the map gives it Luns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice

from msgspec.structs import replace

from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.lunmap import Access, Initiator, Lun, Lunmap, Map, initiators_of
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.core.map.rules.probes import write_risk


class UnknownNameError(LunmapdError):
    """The map has no object of a name that was given."""


class NoProbeError(LunmapdError):
    """The initiator is not one that a probe may use."""


def chosen_luns(lunmap: Lunmap, names: Sequence[str]) -> frozenset[str]:
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
    if names and not chosen:
        raise UnknownNameError(f"the map gives no Lun to {', '.join(names)}")
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
        for entry in _maps_to(lunmap, lun, iqn):
            if risk := write_risk(lun, entry):
                raise NoProbeError(f"{iqn} could write to luns/{name}: {risk}")
    return initiator


def shared_targets(lunmap: Lunmap, iqn: str, luns: Iterable[str]) -> dict[str, int]:
    """Return the targets through which a probe needs maps to `luns`, each with the number of these maps.

    They are the targets that show the Luns to hosts; for a Lun that no host has, all targets. Raises
    UnknownNameError.
    """
    needed: dict[str, int] = {}
    for name in sorted(luns):
        for target in _missing(lunmap, name, iqn):
            needed[target] = needed.get(target, 0) + 1
    return needed


def with_probe(
    lunmap: Lunmap,
    iqn: str,
    initiator: Initiator,
    luns: AbstractSet[str],
    numbers: Mapping[str, Iterable[int]],
) -> Lunmap:
    """Return the map with a probe that sees `luns` read-only, through the targets of `shared_targets`.

    `numbers` are the free LUN numbers by target, as many as it says; if another client added a
    map meanwhile, that map has none. Maps that the probe has stay. Raises UnknownNameError.
    """
    free = {target: iter(those) for target, those in numbers.items()}
    changed: dict[str, Lun] = {}
    for name in sorted(luns):
        added = tuple(
            Map(target, number, iqn, access=Access.READ_ONLY)
            for target in _missing(lunmap, name, iqn)
            for number in islice(free.get(target, iter(())), 1)
        )
        changed[name] = replace(lunmap.luns[name], maps=(*lunmap.luns[name].maps, *added))
    initiators: Mapping[str, Initiator] = {**lunmap.initiators, iqn: initiator}
    return replace(lunmap, initiators=initiators, luns={**lunmap.luns, **changed})


def _missing(lunmap: Lunmap, name: str, iqn: str) -> list[str]:
    """Return the targets through which the probe should see a Lun and does not.

    They are those that show it to hosts; for a Lun that no host has, all targets.
    """
    lun = lunmap.luns.get(name)
    if lun is None:
        raise UnknownNameError(f"the map has no Lun {name!r}{suggestion(nearest(name, tuple(lunmap.luns)))}")
    seen = {entry.target for entry in _maps_to(lunmap, lun, iqn)}
    shown = dict.fromkeys(entry.target for entry in lun.maps if entry.initiator != iqn)
    return [target for target in shown or lunmap.targets if target not in seen]
