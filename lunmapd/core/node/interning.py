"""Objects by key that were mostly there before.

What a node wants and what it sees are nearly always the same, and as they were: of 10,000 Luns there are 30,000 objects with as
many keys. Kept once, and not for each side and each look, they take a fraction of the memory.
"""

from collections.abc import Callable, Iterable

from msgspec.structs import astuple, replace

from lunmapd.core.node import lio_objects


class ObjectPool:
    """Takes in objects. One that is as it was `before` is that very object, under the very key; others are put in as `keep` gives them."""

    def __init__(
        self,
        before: lio_objects.Objects,
        intern: Callable[[lio_objects.Object], lio_objects.Object] = lambda item: item,
    ) -> None:
        """Begin with nothing taken in."""
        self._before = before
        self._intern = intern
        self._objects: dict[lio_objects.Key, lio_objects.Object | None] = dict.fromkeys(before)

    def add(self, items: Iterable[lio_objects.Object]) -> None:
        """Take in some objects; of two with one key the last counts."""
        for item in items:
            key = lio_objects.key_of(item)
            old = self._before.get(key)
            if old is not None and old == item:
                self._objects[key] = old
            else:
                interned = self._intern(item)
                self._objects[lio_objects.key_of(interned)] = interned

    def objects(self) -> dict[lio_objects.Key, lio_objects.Object]:
        """Return what was taken in."""
        return {key: item for key, item in self._objects.items() if item is not None}


class ValuePool:
    """The texts and settings of one look."""

    def __init__(self) -> None:
        """Begin with none."""
        self._values: dict[str | lio_objects.AttributeValues, str | lio_objects.AttributeValues] = {}

    def share(self, item: lio_objects.Object) -> lio_objects.Object:
        """Return the object with the texts and settings that others have too."""
        fields = zip(item.__struct_fields__, astuple(item), strict=True)
        return replace(
            item,
            **{
                name: self._values.setdefault(value, value)
                for name, value in fields
                if isinstance(value, str | tuple)
            },
        )
