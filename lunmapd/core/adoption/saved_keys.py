"""The keys of a saveconfig.json: those that an object must have, and those that are not read. Pure.

rtslib restores what it can: it skips an object without one of its keys, and takes `null` for an absent key
(the functions `setup` in rtslib's target.py, and `restore` in root.py).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct


def unread_keys(mapping: Mapping[str, Any], read: Struct, place: str = "") -> Iterator[str]:
    """Yield a sentence for each key with a value that `read`, decoded from the mapping, has no field for.

    Keys of the objects in its lists count, too. `place` is that of the mapping. A sentence has the key, but
    no value, which may be a secret.
    """
    for key, value in mapping.items():
        if key in read.__struct_fields__:
            yield from _inside(getattr(read, key), value, f"{place}{key}")
        elif value:
            yield (
                f"lunmapd does not know the setting {place}{key} and can't keep it: remove it from the file "
                "if its default will do"
            )


def _inside(field: object, value: object, place: str) -> Iterator[str]:
    if isinstance(field, list) and isinstance(value, list):
        for number, (item, mapping) in enumerate(zip(field, value, strict=True)):
            if isinstance(item, Struct):
                yield from unread_keys(mapping, item, f"{place}[{number}].")


_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "storage_objects": ("name", "plugin"),
    "targets": ("wwn", "fabric"),
    "fabric_modules": ("name",),
    "luns": ("index", "storage_object"),
    "node_acls": ("node_wwn",),
    "mapped_luns": ("index", "tpg_lun"),
    "portals": ("ip_address", "port"),
}


def restorable(raw: object, notes: list[str], place: str = "") -> Any:
    """Return the JSON without nulls and the objects that rtslib skips; add a sentence for each object.

    `place` is that of `raw`. A sentence has the place and the key, but no value.
    """
    if isinstance(raw, list):
        return [restorable(item, notes, f"{place}[{number}]") for number, item in enumerate(raw)]
    if not isinstance(raw, dict):
        return raw
    kept = {key: value for key, value in raw.items() if value is not None}
    for key in kept.keys() & _REQUIRED.keys():
        kept[key] = _whole(kept[key], key, f"{place}.{key}".removeprefix("."), notes)
    return {key: restorable(value, notes, f"{place}.{key}".removeprefix(".")) for key, value in kept.items()}


def _whole(items: object, key: str, place: str, notes: list[str]) -> object:
    """Return the items of a list that have the keys they need; anything else unchanged."""
    if not isinstance(items, list):
        return items
    whole = []
    for number, item in enumerate(items):
        lacks = [name for name in _REQUIRED[key] if isinstance(item, dict) and item.get(name) is None]
        if lacks:
            notes.append(
                f"{place}[{number}] has no {lacks[0]}: targetctl skips it, and so it is not in the map"
            )
        else:
            whole.append(item)
    return whole
