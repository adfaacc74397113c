"""Objects by key that were mostly there before.

What a node wants and what it sees are nearly always the same, and as they were: of 10,000 Luns there are 30,000 objects with as
many keys. Kept once, and not for each side and each look, they take a fraction of the memory.
"""

from collections.abc import Callable, Iterable

from lunmapd.core import lio


class Shelf:
    """Takes in objects. One that is as it was `before` is that very object, under the very key; others are put in as `keep` gives them."""

    def __init__(
        self, before: lio.Objects, keep: Callable[[lio.Object], lio.Object] = lambda item: item
    ) -> None:
        """Begin with nothing taken in."""
        self._before = before
        self._keep = keep
        self._found: dict[lio.Key, lio.Object | None] = dict.fromkeys(before)

    def add(self, items: Iterable[lio.Object]) -> None:
        """Take in some objects; of two with one key the last counts."""
        for item in items:
            name = lio.key(item)
            old = self._before.get(name)
            if old is not None and old == item:
                self._found[name] = old
            else:
                kept = self._keep(item)
                self._found[lio.key(kept)] = kept

    def objects(self) -> dict[lio.Key, lio.Object]:
        """Return what was taken in."""
        return {name: item for name, item in self._found.items() if item is not None}
