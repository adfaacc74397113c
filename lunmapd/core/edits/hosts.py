"""Edits of initiators and groups."""

from collections.abc import Iterable

from msgspec.structs import replace

from lunmapd.core.base.lunmap import Group, Initiator, Lunmap
from lunmapd.core.base.text import first_of
from lunmapd.core.edits.errors import StillUsedError
from lunmapd.core.edits.find import GROUP_PREFIX, Grantee, find_group, find_host
from lunmapd.core.edits.maps import without_maps
from lunmapd.core.edits.objects import (
    add_object,
    is_renamed,
    rename_object,
    with_object,
    without_object,
)
from lunmapd.core.map.short_names import find_name

_MAX_NAMED = 5


def add_host(lunmap: Lunmap, iqn: str, host: Initiator, groups: Iterable[str] = ()) -> Lunmap:
    """Return the map with an initiator, as a member of these groups.

    Raises DiffersError for one that is there and differs, and NoSuchNameError for a group.
    """
    lunmap = add_object(lunmap, "initiators", iqn, host, "host set")
    for group in groups:
        lunmap = add_members(lunmap, group, (iqn,))
    return lunmap


def rename_host(lunmap: Lunmap, old: str, new: str, renamed: Initiator | None = None) -> Lunmap:
    """Return the map with an initiator under another name, in its groups and maps too.

    `renamed` is the initiator with its secrets bound to the new name. Raises DiffersError, NoSuchNameError.
    """
    old = find_name(old, lunmap.initiators) or old
    if is_renamed(lunmap, "initiators", old, new):
        return lunmap
    old = find_host(lunmap, old)
    lunmap = rename_object(lunmap, "initiators", old, new)
    if renamed is not None:
        lunmap = with_object(lunmap, "initiators", new, renamed)
    groups = {
        name: replace(group, initiators=tuple(new if one == old else one for one in group.initiators))
        for name, group in lunmap.groups.items()
    }
    luns = {
        name: replace(
            lun,
            maps=tuple(replace(each, initiator=new) if each.initiator == old else each for each in lun.maps),
        )
        for name, lun in lunmap.luns.items()
    }
    return replace(lunmap, groups=groups, luns=luns)


def remove_host(lunmap: Lunmap, iqn: str, *, unmap: bool = False) -> Lunmap:
    """Return the map without an initiator. With `unmap` it may have Luns and be in groups.

    Raises StillUsedError.
    """
    if iqn not in lunmap.initiators:
        return lunmap
    used = [
        *(
            f"luns/{name}"
            for name, lun in lunmap.luns.items()
            if any(each.initiator == iqn for each in lun.maps)
        ),
        *(f"groups/{name}" for name, group in lunmap.groups.items() if iqn in group.initiators),
    ]
    if used and not unmap:
        raise StillUsedError(
            f"{iqn} is in {first_of(used, _MAX_NAMED)}: remove its devices, then add --unmap"
        )
    lunmap = without_maps(lunmap, grantee=Grantee(iqn))
    for name in lunmap.groups:
        lunmap = remove_members(lunmap, name, (iqn,))
    return without_object(lunmap, "initiators", iqn)


def create_group(lunmap: Lunmap, name: str, group: Group) -> Lunmap:
    """Return the map with a new group. Raises DiffersError for one that is there and differs."""
    return add_object(lunmap, "groups", name, group, "group add")


def add_members(lunmap: Lunmap, name: str, iqns: Iterable[str]) -> Lunmap:
    """Return the map with these initiators in a group, which then see its Luns. Raises NoSuchNameError."""
    name = find_group(lunmap, name)
    return _with_members(lunmap, name, tuple(dict.fromkeys((*lunmap.groups[name].initiators, *iqns))))


def remove_members(lunmap: Lunmap, name: str, iqns: Iterable[str]) -> Lunmap:
    """Return the map without these initiators in a group. Raises NoSuchNameError."""
    name, gone = find_group(lunmap, name), set(iqns)
    return _with_members(
        lunmap, name, tuple(iqn for iqn in lunmap.groups[name].initiators if iqn not in gone)
    )


def _with_members(lunmap: Lunmap, name: str, members: tuple[str, ...]) -> Lunmap:
    group = lunmap.groups[name]
    if group.initiators == members:
        return lunmap
    return with_object(lunmap, "groups", name, replace(group, initiators=members))


def delete_group(lunmap: Lunmap, name: str, *, unmap: bool = False) -> Lunmap:
    """Return the map without a group; its initiators stay. With `unmap` it may have Luns.

    Raises StillUsedError.
    """
    name = name.removeprefix(GROUP_PREFIX)
    if name not in lunmap.groups:
        return lunmap
    used = [lun for lun, each in lunmap.luns.items() if any(entry.group == name for entry in each.maps)]
    if used and not unmap:
        raise StillUsedError(
            f"group:{name} has Luns ({first_of(used, _MAX_NAMED)}): remove their devices on its hosts, then "
            "add --unmap"
        )
    return without_object(without_maps(lunmap, grantee=Grantee(group=name)), "groups", name)
