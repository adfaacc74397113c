"""Texts that many objects have, in memory once.

JSON gives each object texts of its own, and those of 10,000 Luns are mostly the names of a few targets and initiators, and
the same few settings.
"""

from msgspec.structs import astuple, replace

from lunmapd.core.node import lio_objects


class Texts:
    """The texts and settings of one look."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str | lio_objects.Settings, str | lio_objects.Settings] = {}

    def share(self, item: lio_objects.Object) -> lio_objects.Object:
        """Return the object with the texts and settings that others have too."""
        values = zip(item.__struct_fields__, astuple(item), strict=True)
        return replace(
            item,
            **{
                name: self._known.setdefault(value, value)
                for name, value in values
                if isinstance(value, str | tuple)
            },
        )
