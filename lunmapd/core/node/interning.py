"""Interning: equal LIO objects, keys, texts, numbers and attribute values are kept in memory once.

Desired and observed objects are nearly always equal, and equal to those of the last pass. 10,000 Luns have
30,000 objects with as many keys. JSON decodes each text anew, and most texts of 10,000 Luns are the names of
a few targets and initiators. Kept once, all of these take a fraction of the memory.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar, cast

from msgspec.structs import astuple, replace

from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import DefaultGroup
from lunmapd.core.node.opening import OpenMode

_T = TypeVar("_T", bound=lio_objects.Object)
_Shared = str | int | lio_objects.AttributeValues | DefaultGroup
# Exact types: True equals 1, and a member of an enum exists once anyway.
_SHARED_TYPES = frozenset({str, int, tuple, DefaultGroup})


class ObjectPool(Generic[_T]):
    """Collects objects by key; one that equals the object in `before` is replaced by it, key included.

    Other objects are stored as `intern` returns them.
    """

    def __init__(
        self,
        before: lio_objects.Objects,
        intern: Callable[[_T], _T] = lambda item: item,
    ) -> None:
        """Start without objects; `before` is not included."""
        self._before = before
        self._intern = intern
        self._objects: dict[lio_objects.Key, _T | None] = dict.fromkeys(before)

    def add(self, items: Iterable[_T]) -> None:
        """Add objects; of two with the same key the last counts."""
        for item in items:
            key = lio_objects.key_of(item)
            old = self._before.get(key)
            if old is not None and old == item and _freedom(old) == _freedom(item):
                self._objects[key] = cast("_T", old)  # equal objects are of one kind
            else:
                interned = self._intern(item)
                self._objects[lio_objects.key_of(interned)] = interned

    def get(self, key: lio_objects.Key) -> _T | None:
        """Return the object that was added under a key, None if none was."""
        return self._objects.get(key)

    def objects(self) -> dict[lio_objects.Key, _T]:
        """Return the objects that were added, by key."""
        return {key: item for key, item in self._objects.items() if item is not None}


def _freedom(item: lio_objects.Object) -> tuple[OpenMode, str, bool] | None:
    """Return what may differ in equal objects: how a device is opened, and the state of a leased group."""
    if not isinstance(item, lio_objects.StorageObject):
        return None
    alua = item.alua
    return item.access.mode, "" if alua is None else alua.state, alua is not None and alua.leased


class ValuePool:
    """The texts, numbers and attribute values of one observation."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: dict[_Shared, _Shared] = {}

    def share(self, item: _T) -> _T:
        """Return an equal object that shares its texts, numbers and attribute values with the others."""
        fields = zip(item.__struct_fields__, astuple(item), strict=True)
        return replace(
            item,
            **{
                name: self._values.setdefault(value, value)
                for name, value in fields
                if type(value) in _SHARED_TYPES
            },
        )
