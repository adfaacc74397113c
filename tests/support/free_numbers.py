"""Numbers that a map does not have, for edits of a map without history."""

from collections.abc import Collection, Iterable

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.edits.maps import FreeNumbers, first_unused
from lunmapd.core.map.ledger import IdRecord, Ledger, unused_lun_numbers, unused_tags


def _lun(lunmap: Lunmap, target: str, initiators: Collection[str], first: Iterable[int]) -> int:
    return first_unused(unused_lun_numbers(Ledger(), (lunmap,), target, initiators, first), "LUN number")


def _tag(lunmap: Lunmap) -> int:
    return next(unused_tags(IdRecord(), (lunmap,)))


FREE = FreeNumbers(_lun, _tag)
