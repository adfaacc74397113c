"""Edits of one object of any kind: add it, replace it, rename it, remove it."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import to_builtins
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Document, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.edits.errors import DiffersError
from lunmapd.core.map.fill_in import keep_identities

_T = TypeVar("_T")


def with_object(lunmap: Lunmap, section: Section, name: str, document: Document) -> Lunmap:
    """Return the map with this object."""
    return replace(lunmap, **{section: {**lunmap.section(section), name: document}})


def without_object(lunmap: Lunmap, section: Section, name: str) -> Lunmap:
    """Return the map without this object."""
    return replace(
        lunmap, **{section: {key: item for key, item in lunmap.section(section).items() if key != name}}
    )


def add_object(lunmap: Lunmap, section: Section, name: str, document: Document, verb: str) -> Lunmap:
    """Return the map with a new object; the same map if it has that already.

    Fields that `document` leaves out may have any value in the map. `verb` is the one that changes fields,
    for the message. Raises DiffersError.
    """
    added = keep_identities(with_object(lunmap, section, name, document), lunmap)
    there = lunmap.section(section).get(name)
    if there is None:
        return added
    asked, present = to_builtins(added.section(section)[name]), to_builtins(there)
    for field, value in asked.items():
        if present.get(field) != value:
            raise DiffersError(
                f"{section}/{name} is in the map already, and its {field} differs: "
                f"'lunmapctl {verb} {name} {field}=VALUE' changes it"
            )
    return lunmap


def rename_object(lunmap: Lunmap, section: Section, old: str, new: str) -> Lunmap:
    """Return the map with an object under another name, which is free. References to it stay as they are."""
    return replace(lunmap, **{section: renamed_key(lunmap.section(section), old, new)})


def renamed_key(items: Mapping[str, _T], old: str, new: str) -> dict[str, _T]:
    """Return the items, in their order, with one under another name."""
    return {new if name == old else name: item for name, item in items.items()}


def is_renamed(lunmap: Lunmap, section: Section, old: str, new: str) -> bool:
    """Return whether a renaming was done before: the map has `new` and no `old`.

    Raises DiffersError if it has both.
    """
    known = lunmap.section(section)
    if old in known and new in known and old != new:
        raise DiffersError(f"{section}/{new} is in the map already: choose another name")
    return new in known
