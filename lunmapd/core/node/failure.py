"""Why a step was not done, or a part of the map can't be had."""

from msgspec import Struct

WAITING = "Waiting"
HELD = "Held"
DRIFTED = "Drifted"
BACKING_MISSING = "BackingDeviceMissing"
SIZE_MISMATCH = "SizeMismatch"

OF_BACKINGS = frozenset({BACKING_MISSING, SIZE_MISMATCH})
"""Why something of the map can't be had that is no matter of the map: what is behind a storage object."""


class Failure(Struct, frozen=True):
    """Why a step was not done. `reason` is one CamelCase word for programs, `message` a sentence for people."""

    reason: str
    message: str
