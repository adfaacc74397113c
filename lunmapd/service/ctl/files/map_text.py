"""The map, a section or an object as the text of a map file."""

from msgspec.structs import replace

from lunmapd.client import FileBase, Lunmap, LunmapdError, Snapshot
from lunmapd.core.base.sections import SECTION_NAMES, Section
from lunmapd.core.map import mapfile
from lunmapd.core.map.file_base import base_line


class NotFoundError(LunmapdError):
    """The map has no such object."""


def select(lunmap: Lunmap, section: Section | None, name: str | None) -> Lunmap:
    """Return the map, or only one object in its section. Raises NotFoundError."""
    if section is None or name is None:
        return lunmap
    members = lunmap.section(section)
    if name not in members:
        raise NotFoundError(
            f"the map has no {name!r} among its {section}; 'lunmapctl get {section}' lists them"
        )
    return replace(lunmap, **{section: {name: members[name]}})


def base_at(snapshot: Snapshot, section: Section | None, name: str | None) -> FileBase:
    """Return the base of a file that is made from a map, or from a part of it."""
    only = "/".join(filter(None, (section, name)))
    return FileBase(snapshot.revision, snapshot.cluster, snapshot.incarnation, only)


def map_text(snapshot: Snapshot, section: Section | None, name: str | None) -> str:
    """Return a map, or a part of it, as a file with its base. Raises NotFoundError."""
    selected = select(snapshot.lunmap, section, name)
    shown = mapfile.show_map(selected, (section,) if section else SECTION_NAMES)
    return f"{base_line(base_at(snapshot, section, name))}\n{shown}"
