"""Merging two changes of the same map: object by object, or also field by field."""

from typing import Any

from msgspec import UNSET, Struct

from lunmapd.core.base.documents import encode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.history.changes import Change, as_raw, diff_maps, document_at, patch_map
from lunmapd.core.history.fields import Values, field_values, members

INSEPARABLE = frozenset({"backing", "chap", "mutual_chap", "discovery"})
"""The fields whose parts belong together."""
WHOLE = ""
"""Stands for the field of a clash if one side removed the object."""


class Merge(Struct, frozen=True):
    """The map with both changes, and the paths of the objects that both changed differently.

    In `lunmap` the clashing objects are as in `theirs`.
    """

    lunmap: Lunmap
    clashes: tuple[str, ...]


class FieldClash(Struct, frozen=True, order=True):
    """A top-level field of the object at `path` that both changed differently, or WHOLE."""

    path: str
    field: str


class FieldMerge(Struct, frozen=True):
    """The map with both changes; in `theirs` the clashing fields are as in theirs, in `ours` as in ours."""

    theirs: Lunmap
    ours: Lunmap
    clashes: tuple[FieldClash, ...] = ()


def merge_maps(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> Merge:
    """Apply the changes from `base` to `ours` to `theirs`, which is a change of `base` too."""
    their_changes = {change.path: change for change in diff_maps(base, theirs)}
    safe: list[Change] = []
    clashes: list[str] = []
    for change in diff_maps(base, ours):
        their_change = their_changes.get(change.path)
        if their_change is None:
            safe.append(change)
        elif their_change != change:
            clashes.append(change.path)
    return Merge(patch_map(theirs, safe), tuple(clashes))


def merge_fields(base: Lunmap, ours: Lunmap, theirs: Lunmap) -> FieldMerge:
    """Merge as `merge_maps` does; of an object that both changed, merge the fields.

    In lists and mappings the members are merged, such as maps by target and initiator. What belongs together
    is merged as a whole (INSEPARABLE).
    """
    merged = merge_maps(base, ours, theirs)
    clashes: list[FieldClash] = []
    patches: tuple[list[Change], list[Change]] = ([], [])
    for path in merged.clashes:
        documents = [document_at(lunmap, path) for lunmap in (base, ours, theirs)]
        if documents[1] is None or documents[2] is None:
            clashes.append(FieldClash(path, WHOLE))
            patches[1].append(Change(path, after=as_raw(documents[1])))
            continue
        of_theirs, of_ours, fields = _merge_values(*map(field_values, documents))
        clashes += [FieldClash(path, field) for field in fields]
        patches[0].append(Change(path, after=as_raw(encode(of_theirs))))
        patches[1].append(Change(path, after=as_raw(encode(of_ours))))
    return FieldMerge(
        patch_map(merged.lunmap, patches[0]), patch_map(merged.lunmap, patches[1]), tuple(clashes)
    )


def _merge_values(base: Values, ours: Values, theirs: Values) -> tuple[Values, Values, list[str]]:
    """Return the merged fields with theirs and with ours where both differ, and the names of those."""
    of_theirs: Values = {}
    of_ours: Values = {}
    clashes: list[str] = []
    for name in {**base, **theirs, **ours}:
        was, our, their = (values.get(name, UNSET) for values in (base, ours, theirs))
        their, our = _merge_value(was, our, their, name)
        if their != our:
            clashes.append(name)
        of_theirs.update({} if their is UNSET else {name: their})
        of_ours.update({} if our is UNSET else {name: our})
    return of_theirs, of_ours, clashes


def _merge_value(was: Any, our: Any, their: Any, name: str) -> tuple[Any, Any]:
    """Return the merged value with theirs and with ours where both differ; UNSET stands for no value.

    A list of ours that has a member twice is not merged, so that the rules of the map see both.
    """
    if our in (was, their):
        return their, their
    if their == was:
        return our, our
    kind = type(their)
    if kind is type(our) and kind in {dict, list} and name not in INSEPARABLE:
        keyed = [members(each) if isinstance(each, kind) else {} for each in (was, our, their)]
        if len(keyed[1]) < len(our):
            return their, our
        of_theirs, of_ours, _ = _merge_values(*keyed)
        return (of_theirs, of_ours) if kind is dict else (list(of_theirs.values()), list(of_ours.values()))
    return their, our
