"""A mapping that shares its entries with others until they change.

The objects of 10,000 Luns are kept three times between two passes: as the worker's proxy last observed them,
as the starting point of the next partial pass, and as the drift baseline. They are nearly equal, and the
table of a dictionary takes more memory than all the objects' keys (docs/adr/0039-overlays.md).
"""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from typing import TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")

_FEW = 1000
_SHARE = 8


class Overlay(MutableMapping[_K, _V]):
    """A mapping that starts with the entries of `base`, and keeps only what was changed since.

    Nobody may change `base` afterwards. No value may be None.

    `_changes` maps a key to its value, or to None if `base` has the key and this mapping has not. When it
    has more than _FEW entries and more than one for every _SHARE of `base`, a new base is made, so that a
    change takes amortised constant time.
    """

    def __init__(self, base: Mapping[_K, _V]) -> None:
        """Start with these entries; those of another Overlay are shared as far as that shares them."""
        self._base: Mapping[_K, _V]
        self._changes: dict[_K, _V | None]
        self._base, self._changes = base.parts() if isinstance(base, Overlay) else (base, {})
        self._length = len(base)

    def parts(self) -> tuple[Mapping[_K, _V], dict[_K, _V | None]]:
        """Return the base that is shared, and a copy of the changes."""
        return self._base, dict(self._changes)

    def __getitem__(self, key: _K) -> _V:
        value = self._changes[key] if key in self._changes else self._base[key]
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        """Return whether there is such a key, without an exception if there is none."""
        return self._changes[key] is not None if key in self._changes else key in self._base

    def __setitem__(self, key: _K, value: _V) -> None:
        self._length += key not in self
        self._changes[key] = value
        if len(self._changes) > max(_FEW, len(self._base) // _SHARE):
            self._base, self._changes = dict(self.items()), {}

    def __delitem__(self, key: _K) -> None:
        if key not in self:
            raise KeyError(key)
        self._length -= 1
        if key in self._base:
            self._changes[key] = None
        else:
            del self._changes[key]

    def __iter__(self) -> Iterator[_K]:
        yield from (key for key in self._base if key not in self._changes)
        yield from (key for key, value in self._changes.items() if value is not None)

    def __len__(self) -> int:
        return self._length

    def keys(self) -> KeysView[_K]:
        """Return the keys; as quick as those of the base if nothing was changed."""
        return super().keys() if self._changes else self._base.keys()

    def values(self) -> ValuesView[_V]:
        """Return the values; as quick as those of the base if nothing was changed."""
        return super().values() if self._changes else self._base.values()

    def items(self) -> ItemsView[_K, _V]:
        """Return keys and values; as quick as those of the base if nothing was changed."""
        return super().items() if self._changes else self._base.items()
