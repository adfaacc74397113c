"""Numbers that a map does not have, for edits of a map without history."""

from collections.abc import Collection, Iterable
from itertools import count

from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.edits.maps import FreeNumbers, first_unused
from lunmapd.core.map.ledger import Ledger, unused_lun_numbers


def _lun(lunmap: Lunmap, target: str, initiators: Collection[str], first: Iterable[int]) -> int:
    return first_unused(unused_lun_numbers(Ledger(), (lunmap,), target, initiators, first), "LUN number")


def _tag(lunmap: Lunmap) -> int:
    taken = {node.tpg_tag for node in lunmap.nodes.values()}
    return next(tag for tag in count(1) if tag not in taken)


FREE = FreeNumbers(_lun, _tag)
