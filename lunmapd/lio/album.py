"""What a look finds, put together so that each object, and each text that many have, is in memory once.

A node with 10,000 Luns has 30,000 objects, and JSON gives each of them texts of its own: most of a daemon's memory would be
copies of a few names. And a look finds nearly always what was there before.
"""

from collections.abc import Iterable

from msgspec.structs import astuple, replace

from lunmapd.core import lio


class Album:
    """Takes in objects as they are found. One that is as it was `before` is that very object."""

    def __init__(self, before: lio.Objects) -> None:
        """Begin with nothing found."""
        self._before = before
        self._alike: dict[str | lio.Settings, str | lio.Settings] = {}
        self.objects: dict[lio.Key, lio.Object] = {}

    def add(self, items: Iterable[lio.Object]) -> None:
        """Take in some objects."""
        for item in items:
            old = self._before.get(lio.key(item))
            kept = old if old is not None and old == item else self._shared(item)
            # The key of the object that is kept shares its texts.
            self.objects[lio.key(kept)] = kept

    def _shared(self, item: lio.Object) -> lio.Object:
        """Return the object, with texts and settings that others have too."""
        values = zip(item.__struct_fields__, astuple(item), strict=True)
        return replace(
            item,
            **{
                name: self._alike.setdefault(value, value)
                for name, value in values
                if isinstance(value, str | tuple)
            },
        )
