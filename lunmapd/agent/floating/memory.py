"""What a node remembers of the lease of a floating portal group, and of what it did itself."""

from msgspec import Struct

from lunmapd.agent.floating.addresses import GroupAddresses
from lunmapd.core.floating.facts import DuplicateCheck
from lunmapd.core.floating.lease import LeaseRecord, Proof
from lunmapd.store.tree.floating import UNWRITTEN, LeaseZnode


class Memory(Struct):
    """The last known record with its version, and the results of this process's actions.

    Times are of CLOCK_BOOTTIME, in seconds. `created` is the transaction that made the lease's znode, None
    before the first read. `seen_at` is when `version` was first read. ZooKeeper has answered each read since
    `contact_at`, infinity if it did not answer the last one. `placed` are the addresses of the last grant,
    with the interface that the map names. `takes` counts the acknowledged takes. See Facts for the others.
    """

    created: int | None = None
    record: LeaseRecord = UNWRITTEN
    version: int = -1
    seen_at: float = 0.0
    contact_at: float = float("inf")
    proof: Proof | None = None
    takes: int = 0
    granted: int | None = None
    granted_for: int = 0
    placed: GroupAddresses | None = None
    announced: bool = False
    check: DuplicateCheck | None = None

    def learn(self, lease: LeaseZnode, now: float) -> None:
        """Take what was read at `now`.

        A server may still have an older version than this process. A lease that was created anew proves
        nothing, and its versions begin at 0.
        """
        if lease.created != self.created:
            self.created, self.version, self.proof = lease.created, -1, None
        if lease.version > self.version:
            self.record, self.version, self.seen_at = lease.record, lease.version, now

    def refused(self) -> None:
        """Take it that the znode does not have `version`; what is read next counts, also an older version.

        The servers may have been put back to older data, whose versions are used again.
        """
        self.created = None

    def wrote(self, record: LeaseRecord, version: int, sent: float, now: float) -> None:
        """Take an acknowledged write; only the record of an owner permits grants."""
        self.record, self.version, self.seen_at = record, version, now
        self.proof = Proof(version, sent) if record.owner else None
