"""LUN addresses: which Lun an initiator reaches under a LUN number of a target.

A LUN number is an address, not an identity (SAM-5, section 4.7). Linux keeps its device when another Lun
appears under the number and writes to the new Lun, so lunmapd compares the addresses of two maps by the
serials of the Luns.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from lunmapd.core.base.lunmap import Lun, Lunmap, initiators_of
from lunmapd.core.history.changes import differing_names


class LunAddress(NamedTuple):
    """The number `lun` under which an initiator sees a Lun through a target."""

    target: str
    initiator: str
    lun: int


class Occupant(NamedTuple):
    """The Lun at an address: its name, and its serial, which identifies the data."""

    name: str
    serial: str


def occupants_of(lunmap: Lunmap, luns: Collection[str]) -> dict[LunAddress, Occupant]:
    """Return the addresses of the named Luns; a name that the map lacks has none."""
    there = ((name, lunmap.luns[name]) for name in luns if name in lunmap.luns)
    return {
        address: Occupant(name, lun.serial) for name, lun in there for address in _addresses_of(lunmap, lun)
    }


def _addresses_of(lunmap: Lunmap, lun: Lun) -> Iterator[LunAddress]:
    for entry in lun.maps:
        for initiator in initiators_of(lunmap, entry):
            yield LunAddress(entry.target, initiator, entry.lun)


def left_addresses(before: Lunmap, after: Lunmap) -> dict[LunAddress, Occupant]:
    """Return the addresses that do not lead to the same serial any more, with the Lun of `before`.

    In `after` such an address leads to another Lun or to none.
    """
    return _leading_elsewhere(before, after)


def new_addresses(before: Lunmap, after: Lunmap) -> dict[LunAddress, Occupant]:
    """Return the addresses that did not lead to this serial in `before`, with the Lun of `after`."""
    return _leading_elsewhere(after, before)


def _leading_elsewhere(one: Lunmap, other: Lunmap) -> dict[LunAddress, Occupant]:
    """Return the addresses of `one` that `other` does not have with the same serial.

    The cost follows the difference: only Luns that differ, or whose groups do, are compared.
    """
    luns = _touched_luns(one, other)
    there = occupants_of(other, luns)
    return {
        address: occupant
        for address, occupant in occupants_of(one, luns).items()
        if address not in there or there[address].serial != occupant.serial
    }


def _touched_luns(one: Lunmap, other: Lunmap) -> set[str]:
    luns = differing_names(one.luns, other.luns)
    groups = differing_names(one.groups, other.groups)
    if groups:
        luns |= {name for name, lun in one.luns.items() if any(entry.group in groups for entry in lun.maps)}
    return luns
