"""Former occupants: the Luns that hosts may still hold under LUN addresses that lead to another Lun. Pure.

An address is dangerous as long as a host may hold a device for another serial there: Linux writes to the Lun
that answers, of any serial. So an address that led to a Lun and does not any more keeps that Lun as its
former occupant, until the host is known to be logged out (hosts.py), the address leads to that Lun again, or
another Lun was created there because an override allows it.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Lunmap, initiators_of, nodes_of
from lunmapd.core.map.addresses import LunAddress, Occupant, left_addresses, new_addresses, occupants_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.hosts import Hosts, TargetHost, add_hosts, add_suspects, observe_hosts


class Former(Struct, frozen=True, gc=False):
    """A Lun that led a LUN address until `revision`, the first one in which it does not."""

    name: str
    serial: str
    revision: int


FormerLuns = Mapping[LunAddress, tuple[Former, ...]]
"""The former occupants of each address, the oldest first."""

MAX_SERIALS = 4
"""The former occupants remembered of an address. With two of them no Lun may be created there already."""


class HolderRecord(Struct, frozen=True):
    """What a node remembers of LUN addresses, since revision `since`."""

    since: int
    former: FormerLuns = {}
    hosts: Hosts = Hosts()


def new_record(lunmap: Lunmap, node: str, revision: int) -> HolderRecord:
    """Return the record of a node that remembers nothing: every initiator may hold what it reaches here."""
    return HolderRecord(revision, hosts=add_hosts(Hosts(), hosts_of(lunmap, node)))


def hosts_of(lunmap: Lunmap, node: str) -> Iterator[TargetHost]:
    """Yield the initiators that reach any Lun through this node, once for each target."""
    targets = _served(lunmap, node)
    hosts = {TargetHost(address.target, address.initiator) for address in occupants_of(lunmap, lunmap.luns)}
    return (host for host in sorted(hosts) if host.target in targets)


def _served(lunmap: Lunmap, node: str) -> AbstractSet[str]:
    return {iqn for iqn, target in lunmap.targets.items() if node in nodes_of(target)}


def record_change(
    record: HolderRecord, before: Lunmap, after: Lunmap, node: str, revision: int
) -> HolderRecord:
    """Return the record after the effective map of the node has changed; `revision` is that of `after`.

    An address that has former occupants already gets no further one: what `before` asked for there was held.
    It loses none either: the daemon may be killed before it executes `after`.
    """
    former, fresh = dict(record.former), new_addresses(before, after)
    concerned = _served(before, node) | _served(after, node) | record.hosts.targets
    left = {
        address: occupant
        for address, occupant in left_addresses(before, after).items()
        if address.target in concerned
    }
    for address, occupant in left.items():
        if address not in former:
            former[address] = (Former(occupant.name, occupant.serial, revision),)
    pairs = (
        TargetHost(address.target, address.initiator)
        for address in (*left, *fresh)
        if address.target in concerned
    )
    return replace(record, former=former, hosts=add_suspects(record.hosts, pairs))


def others_at(former: FormerLuns, address: LunAddress, serial: str) -> tuple[Former, ...]:
    """Return the former occupants of an address with another serial."""
    return tuple(each for each in former.get(address, ()) if each.serial != serial)


def record_observation(record: HolderRecord, observed: Observed) -> HolderRecord:
    """Return the record after a full observation: it forgets what no host may hold any more.

    A Lun that is still there is not forgotten: the host may log in at any time.
    """
    hosts = observe_hosts(record.hosts, observed)
    there = _serials_there(record.former, observed.objects)
    former = {
        address: each
        for address, each in record.former.items()
        if hosts.may_hold(address.target, address.initiator)
        or any(former.serial in there.get(address, ()) for former in each)
    }
    return replace(record, hosts=hosts, former=former)


def _serials_there(
    former: FormerLuns, observed: lio_objects.Objects
) -> Mapping[LunAddress, AbstractSet[str | None]]:
    """Return the serials that are observed at the addresses with former occupants."""
    there: dict[LunAddress, set[str | None]] = {}
    for item in observed.values() if former else ():
        if isinstance(item, lio_objects.MappedLun) and address_of(item) in former:
            there.setdefault(address_of(item), set()).add(serial_of(item, observed))
    return there


def held_luns(record: HolderRecord) -> FormerLuns:
    """Return the former occupants that hosts may hold, as of the last full observation."""
    return {
        address: former
        for address, former in record.former.items()
        if record.hosts.may_hold(address.target, address.initiator)
    }


def record_created(record: HolderRecord, lunmap: Lunmap, observed: lio_objects.Objects) -> HolderRecord:
    """Return the record without the addresses that were observed to lead where the effective map says."""
    if not record.former:
        return record
    there = {
        address_of(item)
        for item in observed.values()
        if isinstance(item, lio_objects.MappedLun)
        and address_of(item) in record.former
        and _leads_as_in(lunmap, item, observed)
    }
    former = {address: each for address, each in record.former.items() if address not in there}
    return replace(record, former=former)


def _leads_as_in(lunmap: Lunmap, item: lio_objects.MappedLun, observed: lio_objects.Objects) -> bool:
    lun = lunmap.luns.get(item.storage_object)
    return (
        lun is not None
        and lun.serial == serial_of(item, observed)
        and any(
            (entry.target, entry.lun) == (item.iqn, item.lun)
            and item.initiator in initiators_of(lunmap, entry)
            for entry in lun.maps
        )
    )


def record_attempts(
    record: HolderRecord, created: Iterable[tuple[LunAddress, Occupant]], revision: int
) -> HolderRecord:
    """Return the record before Luns are created at addresses with former occupants.

    If the daemon is killed, either Lun may be what the host holds there.
    """
    former = dict(record.former)
    for address, occupant in created:
        known = former.get(address, ())
        if all(each.serial != occupant.serial for each in known) and len(known) < MAX_SERIALS:
            former[address] = (*known, Former(occupant.name, occupant.serial, revision))
    return replace(record, former=former)


def address_of(item: lio_objects.MappedLun) -> LunAddress:
    """Return the LUN address of a mapped LUN; the tag of its TPG is not part of it."""
    return LunAddress(item.iqn, item.initiator, item.lun)


def serial_of(item: lio_objects.MappedLun, objects: lio_objects.Objects) -> str | None:
    """Return the serial of the storage object of a mapped LUN, None if it is not among the objects."""
    backing = objects.get(("storage_object", item.storage_object))
    return backing.serial if isinstance(backing, lio_objects.StorageObject) else None
