"""Changes of a Lun that a commit may not make."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from lunmapd.core.base import attributes
from lunmapd.core.base.attributes import When
from lunmapd.core.base.backings import plugin_of
from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lun, Lunmap

_MAPPED = "unmap the Lun first, or make a new one"


def check_lun_changes(before: Lunmap, after: Lunmap, shrink: AbstractSet[str]) -> Iterator[Problem]:
    """Check every Lun that is in both maps; those named in `shrink` may become smaller."""
    for name in sorted(before.luns.keys() & after.luns.keys()):
        place: Place = ("luns", name)
        was, now = before.luns[name], after.luns[name]
        if was != now:
            yield from _identity(place, was, now)
        if was.size and now.size and now.size < was.size and name not in shrink:
            yield Problem(
                (*place, "size"),
                f"a Lun can't shrink: it has {was.size} bytes; initiators would lose data; to allow it: "
                f"--shrink {name}",
            )
        if was != now and was.maps and now.maps:
            yield from _while_mapped(place, was, now)


def _identity(place: Place, before: Lun, after: Lun) -> Iterator[Problem]:
    if before.serial != after.serial:
        yield Problem(
            (*place, "serial"), f"a serial never changes: it is {before.serial!r}; make a new Lun instead"
        )


def _while_mapped(place: Place, before: Lun, after: Lun) -> Iterator[Problem]:
    """Check the properties that initiators read at login; LIO can't change them while the Lun is exported."""
    if plugin_of(before.backing) != plugin_of(after.backing):
        yield Problem((*place, "backing", "type"), f"can't change while the Lun is mapped: {_MAPPED}")
        return
    plugin = plugin_of(after.backing)
    if before.size != after.size and plugin.sized and not plugin.resizable:
        yield Problem((*place, "size"), f"can't change while the Lun is mapped: {_MAPPED}")
    for field in ("vendor", "product"):
        if getattr(before, field) != getattr(after, field):
            yield Problem((*place, field), f"can't change while the Lun is mapped: {_MAPPED}")
    for name in sorted(before.attributes.keys() | after.attributes.keys()):
        if sentence := _attribute(plugin.name, name, before, after):
            yield Problem((*place, "attributes", name), sentence)


def _attribute(plugin: str, name: str, before: Lun, after: Lun) -> str | None:
    row = attributes.STORAGE.get((plugin, name))
    was, now = before.attributes.get(name), after.attributes.get(name)
    if row is None or was == now:
        return None
    if row.when is When.BEFORE_EXPORT:
        return f"can be set only before the Lun is exported: {_MAPPED}"
    if now is None and row.default is None:
        return "can't go back to the device's value while the Lun is mapped: give a value"
    return None
