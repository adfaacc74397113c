"""The failure of a step, or of a part of the map that can't be applied."""

from msgspec import Struct

from lunmapd.core.base.reasons import Reason


class Failure(Struct, frozen=True):
    """Why an object is not as desired. `reason` is for programs, `message` is a sentence for people."""

    reason: Reason
    message: str
