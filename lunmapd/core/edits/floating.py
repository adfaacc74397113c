"""Edits of the floating portal groups of a target."""

from collections.abc import Iterable

from msgspec import to_builtins
from msgspec.structs import replace

from lunmapd.core.base.lunmap import FloatingGroup, Lunmap, Target
from lunmapd.core.base.text import nearest, suggestion
from lunmapd.core.edits.assign import with_fields
from lunmapd.core.edits.errors import DiffersError
from lunmapd.core.edits.find import find_node
from lunmapd.core.edits.maps import FreeNumbers
from lunmapd.core.edits.objects import with_object
from lunmapd.core.map.short_names import NoSuchNameError


def create_floating(lunmap: Lunmap, iqn: str, name: str, group: FloatingGroup, free: FreeNumbers) -> Lunmap:
    """Return the map with a new floating portal group; a target that is new, too, has this group alone.

    A TPG tag of 0 stands for one never used, and no nodes for all nodes of the map. Raises DiffersError for a
    group that is there and differs, and NoSuchNameError for a node.
    """
    for node in group.nodes:
        find_node(lunmap, node)
    target = lunmap.targets.get(iqn, Target({}))
    there = target.floating.get(name)
    if there is not None:
        _check_equal(iqn, name, there, group)
        return lunmap
    nodes = group.nodes or tuple(sorted(lunmap.nodes))
    made = replace(group, nodes=nodes, tpg_tag=group.tpg_tag or free.tag(lunmap))
    return with_object(lunmap, "targets", iqn, replace(target, floating={**target.floating, name: made}))


def _check_equal(iqn: str, name: str, there: FloatingGroup, asked: FloatingGroup) -> None:
    """Check that a group has what is asked for; fields that are left out may have any value."""
    present = to_builtins(there)
    for field, value in to_builtins(asked).items():
        if value and present.get(field) != value:
            raise DiffersError(
                f"{iqn} has floating group {name} already, and its {field} differs: "
                f"'lunmapctl float set {iqn} {name} {field}=VALUE' changes it"
            )


def assign_floating(lunmap: Lunmap, iqn: str, name: str, words: Iterable[str]) -> Lunmap:
    """Return the map with fields of a floating portal group set, as `assign_fields` does.

    Raises NoSuchNameError.
    """
    known = lunmap.targets[iqn].floating
    if name not in known:
        near = suggestion(nearest(name, known))
        raise NoSuchNameError(f"{iqn} has no floating group {name!r}{near}")
    return with_fields(lunmap, "targets", iqn, [f'floating."{name}".{word}' for word in words])


def delete_floating(lunmap: Lunmap, iqn: str, name: str) -> Lunmap:
    """Return the map without a floating portal group; its target stays."""
    target = lunmap.targets[iqn]
    if name not in target.floating:
        return lunmap
    rest = {key: group for key, group in target.floating.items() if key != name}
    return with_object(lunmap, "targets", iqn, replace(target, floating=rest))
