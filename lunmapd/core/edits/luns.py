"""Edits of Luns."""

from msgspec.structs import replace

from lunmapd.core.base.backings import FileIO, plugin_of
from lunmapd.core.base.lunmap import Lun, Lunmap
from lunmapd.core.edits.errors import BadAssignmentError, StillUsedError
from lunmapd.core.edits.find import find_lun
from lunmapd.core.edits.maps import show_grantees
from lunmapd.core.edits.objects import (
    add_object,
    is_renamed,
    rename_object,
    with_object,
    without_object,
)


def add_lun(lunmap: Lunmap, name: str, lun: Lun) -> Lunmap:
    """Return the map with a new Lun. Raises DiffersError for one that is there and differs."""
    return add_object(lunmap, "luns", name, lun, "lun set")


def rename_lun(lunmap: Lunmap, old: str, new: str) -> Lunmap:
    """Return the map with a Lun under another name; serial, backing and maps stay.

    Raises DiffersError, NoSuchNameError.
    """
    if is_renamed(lunmap, "luns", old, new):
        return lunmap
    return rename_object(lunmap, "luns", find_lun(lunmap, old), new)


def resize_lun(lunmap: Lunmap, name: str, size: int | None) -> Lunmap:
    """Return the map with a Lun of at least `size` bytes; None is the size of its device.

    Raises BadAssignmentError if the size is missing, or is not that of a larger Lun.
    """
    name = find_lun(lunmap, name)
    lun = lunmap.luns[name]
    if size is None:
        if plugin_of(lun.backing).sized:
            kind = "file" if isinstance(lun.backing, FileIO) else "backing"
            raise BadAssignmentError(
                f"the size of {name} is in the map: grow its {kind}, then 'lunmapctl lun grow {name} SIZE'"
            )
        return lunmap
    if size < (lun.size or 0):
        raise BadAssignmentError(
            f"{name} has {lun.size} bytes, and {size} are less: 'lunmapctl lun set {name} size={size} "
            f"--shrink {name}' cuts off the data at its end"
        )
    return lunmap if size == lun.size else with_object(lunmap, "luns", name, replace(lun, size=size))


def drop_lun(lunmap: Lunmap, name: str, *, unmap: bool = False) -> Lunmap:
    """Return the map without a Lun; its data stay. With `unmap` it may be mapped. Raises StillUsedError."""
    lun = lunmap.luns.get(name)
    if lun is None:
        return lunmap
    if lun.maps and not unmap:
        raise StillUsedError(
            f"{name} is mapped to {show_grantees(lun)}: remove its devices there, then add --unmap"
        )
    return without_object(lunmap, "luns", name)
