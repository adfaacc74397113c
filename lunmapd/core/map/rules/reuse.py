"""LUN numbers, port ids and TPG tags that led to something else: a commit must name what may reuse them.

Hosts keep the device of a former LUN (SAM-5, section 4.7: a LUN is an address), and write to the new Lun
without an error. Port ids and tags identify paths (SPC-4, section 7.8.6).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from lunmapd.core.base.errors import Place, Problem
from lunmapd.core.base.lunmap import Lunmap, Map, initiators_of
from lunmapd.core.base.text import first_of
from lunmapd.core.map.addresses import new_addresses
from lunmapd.core.map.ledger import Ledger, unused_lun_numbers
from lunmapd.core.map.reuse import ReusedAddress, ReusedId
from lunmapd.core.map.target_ids import (
    FLOATING_PREFIX,
    IdUse,
    IdUses,
    differing_port_ids,
    differing_tags,
)

_MAX_HOSTS = 3


def mapped_entry(after: Lunmap, reused: ReusedAddress) -> tuple[int, Map]:
    """Return the map of the Lun, with its index, that gives the address in `after`."""
    target, initiator, lun = reused.address
    return next(
        (index, entry)
        for index, entry in enumerate(after.luns[reused.occupant.name].maps)
        if (entry.target, entry.lun) == (target, lun) and initiator in initiators_of(after, entry)
    )


def check_reused_addresses(
    reused: Sequence[ReusedAddress], after: Lunmap, known: Sequence[Lunmap], ledger: Ledger
) -> Iterator[Problem]:
    """Report each address, the initiators of one map together, each with a LUN number that was never used.

    `known` are the maps whose numbers are in use: the one of the revisions, and with out-of-band edits the
    effective one. `ledger` has all initiators of the maps concerned.
    """
    edited = new_addresses(known[0], known[-1])
    offers = _Offers(ledger, (*known, after), {}, set())
    ordered = sorted(((_key(after, each), each) for each in reused), key=lambda pair: pair[0])
    for (name, index, _), group in groupby(ordered, lambda pair: pair[0]):
        members = [each for _, each in group]
        entry = after.luns[name].maps[index]
        free = offers.take(entry.target, initiators_of(after, entry))
        is_edited = all(edited.get(each.address) == each.occupant for each in members)
        yield Problem(
            ("luns", name, "maps", index, "lun"), _address_sentence(members, free, is_edited=is_edited)
        )


class _Offers(NamedTuple):
    """Unused LUN numbers for the problems of one commit, each number of a target at most once."""

    ledger: Ledger
    maps: Sequence[Lunmap]
    unused: dict[tuple[str, tuple[str, ...]], Iterator[int]]
    taken: set[tuple[str, int]]

    def take(self, target: str, initiators: tuple[str, ...]) -> int | None:
        """Return the lowest number for these initiators that is not taken yet; None if there is none."""
        key = (target, initiators)
        if key not in self.unused:
            self.unused[key] = unused_lun_numbers(self.ledger, self.maps, target, initiators)
        free = next((number for number in self.unused[key] if (target, number) not in self.taken), None)
        if free is not None:
            self.taken.add((target, free))
        return free


def _key(after: Lunmap, reused: ReusedAddress) -> tuple[str, int, tuple[str, bool, str]]:
    index, _ = mapped_entry(after, reused)
    return reused.occupant.name, index, (_former(reused), reused.present, reused.doubt)


def _former(reused: ReusedAddress) -> str:
    if reused.former is None:
        return "a Lun that is not remembered any more"
    return f"Lun {reused.former.name} (serial {reused.former.identity})"


def _address_sentence(members: Sequence[ReusedAddress], free: int | None, *, is_edited: bool) -> str:
    first = members[0]
    hosts = first_of([each.address.initiator for each in members], _MAX_HOSTS)
    now = first.occupant.name
    where = f"through {first.address.target}"
    if first.present:
        was = f"LUN {first.address.lun} leads {hosts} to {_former(first)} {where} in revision {first.newest}"
    elif first.former is None:
        was = f"LUN {first.address.lun} led {hosts} to {_former(first)} {where}; {first.doubt}"
    else:
        was = (
            f"LUN {first.address.lun} led {hosts} to {_former(first)} {where} until revision {first.newest}; "
            f"{first.doubt}"
        )
    why = f"{was}; a host that still has the device would write into Lun {now} without an error"
    if is_edited:
        return f"{why}: {_edit_advice(f'--reuse-lun {now}', 'remove the device on the host, then ')}"
    other = (
        "no number is unused" if free is None else f"the lowest number that was never used there is {free}"
    )
    return (
        f"{why}: use another number ({other}), or remove the device on the host and allow it with "
        f"--reuse-lun {now}"
    )


def _edit_advice(option: str, first: str = "") -> str:
    """Return what to do about an out-of-band edit, which any commit would record, also one of another object.

    The verb of the commit need not have the option.
    """
    return (
        "it was edited out of band, and 'lunmapctl repair' reverts that; to keep it, "
        f"{first}'lunmapctl get | lunmapctl apply - {option}'"
    )


def check_reused_port_ids(reused: Iterable[ReusedId], known: Sequence[Lunmap]) -> Iterator[Problem]:
    """Report each port id; `known` is as in `check_reused_addresses`."""
    edited = differing_port_ids(known[-1], known[0])
    for each in reused:
        yield Problem((*_user(each), "port_id"), _id_sentence("port id", each, edited))


def check_reused_tags(reused: Iterable[ReusedId], known: Sequence[Lunmap]) -> Iterator[Problem]:
    """Report each TPG tag; `known` is as in `check_reused_addresses`."""
    edited = differing_tags(known[-1], known[0])
    for each in reused:
        yield Problem((*_user(each), "tpg_tag"), _id_sentence("TPG tag", each, edited))


def _user(reused: ReusedId) -> Place:
    """Return the place of the node, portal group or floating group that gets an id."""
    target, _, name = reused.identity.rpartition(" ")
    if name.startswith(FLOATING_PREFIX):
        return ("targets", target, "floating", name.removeprefix(FLOATING_PREFIX))
    return ("targets", target, "nodes", name) if target else ("nodes", name)


def _id_sentence(kind: str, reused: ReusedId, edited: IdUses) -> str:
    former = reused.former
    if former is None:
        was = "was used before"
    elif reused.present:
        was = f"belongs to {_holder(former.identity)} in revision {former.revision}"
    else:
        was = f"belonged to {_holder(former.identity)} until revision {former.revision}"
    why = f"{kind} {reused.number} {was}, and initiators tell paths apart by it"
    if edited.get(reused.number) == IdUse(reused.node, reused.identity):
        return f"{why}: {_edit_advice(f'--reuse-id {reused.node}')}"
    advice = "omit port_id to get a new one" if kind == "port id" else "give a tag that no node had"
    return f"{why}: {advice}; to allow it: --reuse-id {reused.node}"


def _holder(identity: str) -> str:
    target, _, name = identity.rpartition(" ")
    if name.startswith(FLOATING_PREFIX):
        return f"floating group {name.removeprefix(FLOATING_PREFIX)} of target {target}"
    return f"target {target} on node {name}" if target else f"node {name}"
