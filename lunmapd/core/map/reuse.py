"""LUN numbers, port ids and TPG tags that a map uses for something else than before. Pure.

The rules are `lunmapd.core.map.rules.reuse`; nodes that can settle a doubt are asked by
`lunmapd.core.fleet.former_luns`.
"""

from collections.abc import Iterator

from msgspec import Struct

from lunmapd.core.map.addresses import LunAddress, Occupant
from lunmapd.core.map.ledger import Ledger, MapDifference
from lunmapd.core.map.target_ids import IdUses
from lunmapd.core.map.used_numbers import FormerUse, UsedNumbers


class ReusedAddress(Struct, frozen=True):
    """A LUN address that gets the Lun `occupant`, and led to another one.

    `former` is that Lun, None if the ledger does not name it any more. If the current map still leads to it
    (`present`), its revision is the current one. Otherwise the address was left in a revision from `oldest`
    to `newest`. `doubt` says why hosts may still have its device.
    """

    address: LunAddress
    occupant: Occupant
    former: FormerUse | None
    oldest: int
    newest: int
    present: bool = False
    doubt: str = ""


class ReusedId(Struct, frozen=True):
    """A port id or TPG tag that `node` gets, and that another identity had; `former` as in ReusedAddress."""

    number: int
    node: str
    identity: str
    former: FormerUse | None
    present: bool = False


def find_reused_addresses(
    difference: MapDifference, ledger: Ledger, revision: int
) -> tuple[ReusedAddress, ...]:
    """Return the new addresses that lead to another Lun in the current map or led to one before.

    `revision` is that of the current map. An address whose last Lun comes back is not reused.
    """
    return tuple(
        reused
        for address, occupant in sorted(difference.new.items())
        if (reused := _reused(address, occupant, difference, ledger, revision)) is not None
    )


def _reused(
    address: LunAddress, occupant: Occupant, difference: MapDifference, ledger: Ledger, revision: int
) -> ReusedAddress | None:
    present = difference.left.get(address)
    if present is not None:
        former = FormerUse(address.lun, present.name, present.serial, revision)
        return ReusedAddress(address, occupant, former, revision, revision, present=True)
    numbers = ledger.numbers(address.target, address.initiator)
    if address.lun not in numbers:
        return None
    last = numbers.last_use(address.lun)
    if last is None:
        return ReusedAddress(address, occupant, None, 1, revision)
    if last.identity == occupant.serial:
        return None
    return ReusedAddress(address, occupant, last, last.revision, last.revision)


def find_reused_port_ids(difference: MapDifference, ledger: Ledger, revision: int) -> tuple[ReusedId, ...]:
    """Return the new port ids that another target or node has in the current map, or had before."""
    return tuple(
        _reused_ids(difference.new_port_ids, difference.left_port_ids, ledger.ids.port_ids, revision)
    )


def find_reused_tags(difference: MapDifference, ledger: Ledger, revision: int) -> tuple[ReusedId, ...]:
    """Return the new TPG tags that another node has in the current map, or had before."""
    return tuple(_reused_ids(difference.new_tags, difference.left_tags, ledger.ids.tpg_tags, revision))


def _reused_ids(new: IdUses, left: IdUses, numbers: UsedNumbers, revision: int) -> Iterator[ReusedId]:
    for number, use in sorted(new.items()):
        present = left.get(number)
        if present is not None:
            former = FormerUse(number, present.node, present.identity, revision)
            yield ReusedId(number, use.node, use.identity, former, present=True)
        elif number in numbers:
            last = numbers.last_use(number)
            if last is None or last.identity != use.identity:
                yield ReusedId(number, use.node, use.identity, last)
