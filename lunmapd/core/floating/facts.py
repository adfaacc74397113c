"""What a node knows of a floating portal group, and what it can do next."""

from msgspec import Struct

from lunmapd.core.floating.lease import LeaseRecord, LeaseTimes, Proof, longest_end, take_time
from lunmapd.core.floating.promotion import Promotion

CHECK_LEAD = 1.5
"""How long before a take the network is asked."""


class DuplicateCheck(Struct, frozen=True):
    """The result of a duplicate address detection, and when it ended."""

    free: bool
    at: float


class Facts(Struct, frozen=True):
    """What a node knows of a group; times as in lease.py.

    `node` and `boot` are this node and the boot id of its kernel. `wanted` says that this node is to own the
    group, otherwise `successor` is, "" for none.

    The record was last read with `version`, for the first time at `seen_at`; `owner_live` says that the
    ephemeral of its owner exists. ZooKeeper has answered this node since `contact_at`. `proof` is the last
    acknowledged write of this process. While `writing`, a write is not answered yet.

    `present`: the kernel has an address of the group. `complete`: it has all of them. `granted` is the
    version of the proof by which this process gave them to the kernel last, for `granted_for` seconds.
    `announced`: the neighbours were informed since they came. `enabled`: LIO has the TPG enabled. `stuck`:
    disabling it did not end within its deadline. `check` is the last duplicate address detection for the
    addresses that the kernel lacks.

    `promotion` is that of the storage of the group's Luns, None if it needs none. As long as it is not
    demoted, the group is `present`; it is `complete` only when promoted.
    """

    node: str
    boot: str
    times: LeaseTimes = LeaseTimes()
    grace: float = 0.0
    wanted: bool = False
    successor: str = ""
    record: LeaseRecord = LeaseRecord()
    version: int = 0
    seen_at: float = 0.0
    owner_live: bool = False
    contact_at: float = 0.0
    proof: Proof | None = None
    writing: bool = False
    present: bool = False
    complete: bool = False
    granted: int | None = None
    granted_for: int = 0
    announced: bool = False
    enabled: bool = False
    stuck: bool = False
    check: DuplicateCheck | None = None
    promotion: Promotion | None = None

    @property
    def owns(self) -> bool:
        """Whether the record names this node, since this boot of its kernel."""
        return (self.record.owner, self.record.boot) == (self.node, self.boot)

    @property
    def serves(self) -> bool:
        """Whether hosts reach the group at this node."""
        return self.owns and self.complete and self.enabled

    @property
    def is_shortened(self) -> bool:
        """Whether the kernel has no longer lifetime than the present one: a grant replaces those before."""
        return self.granted == self.version and self.granted_for <= self.times.lifetime

    @property
    def take_at(self) -> float:
        """When this node may take the group. A reboot ends its own lease by itself."""
        if self.record.owner == self.node:
            return self.seen_at
        contact_at = self.contact_at if self.owner_live else float("-inf")
        return take_time(self.record, self.seen_at, self.grace, self.node, contact_at)

    def idle(self, now: float) -> float:
        """Return for how many seconds another node than the owner could have taken the group.

        It is negative before that, and minus infinity at the owner. A time without contact does not count.
        """
        if self.record.owner == self.node:
            return float("-inf")
        return now - max(self.take_at, self.contact_at)

    @property
    def ask_at(self) -> float:
        """From when on the network is asked before a take: the owner may have its addresses until then."""
        own = {"", self.node}
        ended = self.seen_at if self.record.owner in own else longest_end(self.record, self.seen_at)
        return max(ended, self.take_at - CHECK_LEAD)


class Wait(Struct, frozen=True):
    """Do nothing until a fact changes, or until the given time."""

    until: float = float("inf")


class DetectDuplicates(Struct, frozen=True):
    """Ask the network whether another machine has an address of the group (RFC 5227, RFC 4862)."""


class Take(Struct, frozen=True):
    """Make this node the owner, if the record still has this version."""

    version: int


class Renew(Struct, frozen=True):
    """Write the record again, if it still has this version."""

    version: int


class Release(Struct, frozen=True):
    """Write that nobody holds the group, if the record still has this version."""

    version: int
    quiet: bool
    successor: str


class Grant(Struct, frozen=True):
    """Promote the storage; once that is done, give the addresses to the kernel for `lifetime` seconds.

    The proof of this version permits it.

    The call is given up at `not_after`: the process that makes it is killed.
    """

    version: int
    lifetime: int
    not_after: float


class Announce(Struct, frozen=True):
    """Inform the neighbours of the hardware address (gratuitous ARP, unsolicited NA)."""


class Enable(Struct, frozen=True):
    """Enable the TPG."""


class Disable(Struct, frozen=True):
    """Disable the TPG, which ends its sessions and waits for their commands."""


class Drop(Struct, frozen=True):
    """Remove the addresses from the kernel, then demote the storage."""


LeaseAction = Wait | DetectDuplicates | Take | Renew | Release | Grant | Announce | Enable | Disable | Drop
