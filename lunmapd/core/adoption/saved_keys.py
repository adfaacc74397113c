"""The keys of a saveconfig.json that are not read. Pure."""

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
            yield f"lunmapd does not know the setting {place}{key} and can't keep it"


def _inside(field: object, value: object, place: str) -> Iterator[str]:
    if isinstance(field, list) and isinstance(value, list):
        for number, (item, mapping) in enumerate(zip(field, value, strict=True)):
            if isinstance(item, Struct):
                yield from unread_keys(mapping, item, f"{place}[{number}].")
