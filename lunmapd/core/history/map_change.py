"""The change of a whole map, compared once: every step of a commit uses the result."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import SECTIONS, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.history.changes import Change, differing_names, object_change

ObjectName = tuple[Section, str]
"""What names an object of the map: its section and its name in it."""


class MapChange(Struct, frozen=True):
    """The change of the map from `before` to `after`; `objects` are those that differ.

    The functions below make one, so that no object is missing.
    """

    before: Lunmap
    after: Lunmap
    objects: frozenset[ObjectName]


def compare_objects(before: Lunmap, after: Lunmap) -> MapChange:
    """Compare two maps; documents that are the same Python object are not compared.

    The sections that are others than those of `before` are copied: a program may use its dicts again for its
    next map, while the rules compare that one with this one.
    """
    others = [section for section in SECTIONS if before.section(section) is not after.section(section)]
    own = replace(after, **{section: dict(after.section(section)) for section in others})
    return change_between(before, own)


def change_between(before: Lunmap, after: Lunmap, known: MapChange | None = None) -> MapChange:
    """Return the change between two maps that nobody changes: `known` if it is theirs, else compare them."""
    if known is not None and known.before is before and known.after is after:
        return known
    differing = (
        (section, name)
        for section in SECTIONS
        for name in differing_names(before.section(section), after.section(section))
    )
    return MapChange(before, after, frozenset(differing))


def change_among(objects: Iterable[ObjectName], before: Lunmap, after: Lunmap) -> MapChange:
    """Return the change between two maps of which all objects that differ are among these."""
    differing = (
        (section, name)
        for section, name in objects
        if before.section(section).get(name) != after.section(section).get(name)
    )
    return MapChange(before, after, frozenset(differing))


def record_changes(change: MapChange) -> tuple[Change, ...]:
    """Return the changes of the objects, as `diff_maps` does for the two maps."""
    order = tuple(SECTIONS)
    objects = sorted(change.objects, key=lambda each: (order.index(each[0]), each[1]))
    return tuple(object_change(section, name, change.before, change.after) for section, name in objects)


def names_in(section: Section, objects: AbstractSet[ObjectName]) -> set[str]:
    """Return the names of those objects that are in a section."""
    return {name for place, name in objects if place == section}


def with_few_luns(maps: Sequence[Lunmap], objects: AbstractSet[ObjectName]) -> list[Lunmap]:
    """Return maps that differ in `objects` at most without the Luns that have the same hosts in all of them.

    The Luns that stay are those among the objects, and those that are mapped to a group among them. All other
    sections are whole: a map has many Luns and few other objects.
    """
    luns, groups = names_in("luns", objects), names_in("groups", objects)
    if groups:
        luns |= {
            name
            for lunmap in maps
            for name, lun in lunmap.luns.items()
            if any(entry.group in groups for entry in lun.maps)
        }
    return [
        replace(lunmap, luns={name: lunmap.luns[name] for name in luns & lunmap.luns.keys()})
        for lunmap in maps
    ]
