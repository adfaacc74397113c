"""Objects by key that were mostly there before.

What a node wants and what it sees are nearly always the same, and as they were: of 10,000 Luns there are 30,000 objects with as
many keys. Kept once, and not for each side and each look, they take a fraction of the memory.
"""

from collections.abc import Callable, Iterable

from lunmapd.core.node import lio_objects


class Shelf:
    """Takes in objects. One that is as it was `before` is that very object, under the very key; others are put in as `keep` gives them."""

    def __init__(
        self,
        before: lio_objects.Objects,
        keep: Callable[[lio_objects.Object], lio_objects.Object] = lambda item: item,
    ) -> None:
        """Begin with nothing taken in."""
        self._before = before
        self._keep = keep
        self._found: dict[lio_objects.Key, lio_objects.Object | None] = dict.fromkeys(before)

    def add(self, items: Iterable[lio_objects.Object]) -> None:
        """Take in some objects; of two with one key the last counts."""
        for item in items:
            name = lio_objects.key(item)
            old = self._before.get(name)
            if old is not None and old == item:
                self._found[name] = old
            else:
                kept = self._keep(item)
                self._found[lio_objects.key(kept)] = kept

    def objects(self) -> dict[lio_objects.Key, lio_objects.Object]:
        """Return what was taken in."""
        return {name: item for name, item in self._found.items() if item is not None}
