"""The address record of a running node: kept from pass to pass, and written before anything depends on it."""

import logging
import time
from collections.abc import Callable, Mapping
from itertools import islice

from msgspec.structs import replace

from lunmapd.agent.state.address_file import AddressFile, AddressFileDamagedError
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.base.messages import Message, journal_fields
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    ADDRESSES_KEPT,
    MAX_FORMER,
    ConditionUpdate,
    FormerOccupant,
    false_condition,
    true_condition,
)
from lunmapd.core.history.map_change import MapChange, change_between, with_few_luns
from lunmapd.core.map.addresses import LunAddress, Occupant
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.former import (
    HolderRecord,
    address_of,
    held_luns,
    hosts_of,
    new_record,
    record_attempts,
    record_change,
    record_created,
    record_observation,
    serial_of,
)
from lunmapd.core.planning.hosts import add_hosts
from lunmapd.core.planning.other_data import EMPTY_SECONDS, AddressRules, Reuse
from lunmapd.core.planning.plan import Plan
from lunmapd.store.tree.snapshot import Snapshot, effective_map

_log = logging.getLogger(__name__)


def follow_change(
    record: HolderRecord | None,
    before: Snapshot | None,
    after: Snapshot,
    node: str,
    known: MapChange | None = None,
) -> HolderRecord:
    """Return the record after the node has read `after`; `before` is the map that it followed until then.

    `known` is the change between the two maps, if it is known.

    Without a record the memory begins with the oldest map that is known. The revisions of a restored tree are
    counted anew, so it then covers only what follows.
    """
    first = after if before is None else before
    now = effective_map(after)
    if record is None:
        record = new_record(effective_map(first), node, first.revision)
        record = replace(record, hosts=add_hosts(record.hosts, hosts_of(now, node)))
    if before is None:
        return record
    if (before.cluster, before.incarnation) != (after.cluster, after.incarnation):
        record = replace(record, since=after.revision)
    change = change_between(effective_map(before), now, known)
    few_before, few_after = with_few_luns((change.before, change.after), change.objects)
    return record_change(record, few_before, few_after, node, after.revision)


def list_former(record: HolderRecord) -> tuple[FormerOccupant, ...]:
    """Return the former occupants that hosts may hold, as many as a status lists."""
    every = (
        FormerOccupant(*address, each.name, each.serial, each.revision)
        for address, former in sorted(held_luns(record).items())
        for each in former
    )
    return tuple(islice(every, MAX_FORMER))


class AddressKeeper:
    """Keeps the address record of `node`, in memory and in its file; `now` is a monotonic clock, in seconds.

    Following the map and serving LUNs matter more than the file: no method raises for an error of the disk.
    Until the file is written, no Lun is created at an address of another one.
    """

    def __init__(self, file: AddressFile, node: str, now: Callable[[], float] = time.monotonic) -> None:
        """Load the file."""
        self._file = file
        self._node = node
        self._now = now
        self._emptied: dict[LunAddress, float] = {}
        try:
            self._record = file.load()
        except AddressFileDamagedError as error:
            _log.warning("%s", error, extra=journal_fields(Message.ADDRESSES_DAMAGED))
            self._record = None

    @property
    def record(self) -> HolderRecord | None:
        """The record, None as long as no map was read."""
        return self._record

    @property
    def emptied(self) -> Mapping[LunAddress, float]:
        """The addresses with former occupants that are empty, each with the monotonic time since when."""
        return dict(self._emptied)

    def follow(self, before: Snapshot | None, after: Snapshot, known: MapChange | None = None) -> None:
        """Record a map that was read, before anything else is done with it; see `follow_change`."""
        self._keep(follow_change(self._record, before, after, self._node, known))

    def observe(self, observed: Observed) -> None:
        """Record a full observation."""
        if self._record is None:
            return
        self._keep(record_observation(self._record, observed))
        self._note_empty(observed.objects)

    def confirm(self, lunmap: Lunmap, observed: lio_objects.Objects) -> None:
        """Record which addresses lead where the effective map says."""
        if self._record is not None:
            self._keep(record_created(self._record, lunmap, observed))

    def attempt(self, steps: Plan, desired: lio_objects.Objects, rules: AddressRules, revision: int) -> bool:
        """Record the steps that create a Lun at the address of another one; return whether it is written."""
        created = [
            (address_of(step.item), Occupant(step.item.storage_object, serial_of(step.item, desired) or ""))
            for step in steps
            if isinstance(step.item, lio_objects.MappedLun) and rules.others(step, desired)
        ]
        if not created or self._record is None:
            return True
        return self._keep(record_attempts(self._record, created, revision))

    def rules(self, reuse: Reuse, *, is_full: bool = True) -> AddressRules:
        """Return what decides about creations after a full observation.

        A partial pass does not know who has logged in meanwhile, so for it all former occupants count.
        """
        if self._record is None:
            return AddressRules()
        now = self._now()
        return AddressRules(
            held_luns(self._record) if is_full else self._record.former,
            reuse,
            {address: now - since for address, since in self._emptied.items()},
            not self._file.problem,
        )

    def seconds_left(self, address: LunAddress) -> float:
        """Return for how long an address must still be empty, 0 for one without former occupants."""
        if self._record is None or address not in self._record.former:
            return 0.0
        since = self._emptied.get(address)
        return EMPTY_SECONDS if since is None else max(0.0, since + EMPTY_SECONDS - self._now())

    def condition(self) -> ConditionUpdate:
        """Return the condition AddressesKept."""
        if self._file.problem:
            return false_condition(
                ADDRESSES_KEPT,
                Reason.UNWRITABLE,
                f"{self._file.problem}; no LUN number is given to another Lun, and the Luns that hosts may "
                "still hold would be forgotten at a restart",
            )
        return true_condition(ADDRESSES_KEPT, Reason.KEPT, "the Luns that hosts may still hold are recorded")

    def _keep(self, record: HolderRecord) -> bool:
        self._record = record
        return self._file.save(record)

    def _note_empty(self, objects: lio_objects.Objects) -> None:
        """Record since when each address with former occupants is empty."""
        former = {} if self._record is None else self._record.former
        if not former:
            self._emptied = {}
            return
        taken = {address_of(item) for item in objects.values() if isinstance(item, lio_objects.MappedLun)}
        now = self._now()
        self._emptied = {
            address: self._emptied.get(address, now) for address in former if address not in taken
        }
