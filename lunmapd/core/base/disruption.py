"""The classes of disruption: what an initiator may notice of a step at worst."""

from collections.abc import Mapping
from enum import IntEnum


class Disruption(IntEnum):
    """The class of disruption of a step: what an initiator may notice at worst."""

    NONE = 0
    UNIT_ATTENTION = 1
    PATH_LOSS = 2
    SESSION_DROP = 3
    DATA_UNREACHABLE = 4
    OTHER_DATA = 5

    @property
    def word(self) -> str:
        """The class as programs read it, such as `path-loss`."""
        return self.name.lower().replace("_", "-")


DISRUPTION_WORDS: Mapping[str, Disruption] = {each.word: each for each in Disruption}
"""The classes by the words of `word`."""
