"""Why a step was not done, or a part of the map can't be had."""

from msgspec import Struct

from lunmapd.core.base.reasons import Reason


class Failure(Struct, frozen=True):
    """Why a step was not done. `reason` is for programs, `message` a sentence for people."""

    reason: Reason
    message: str
