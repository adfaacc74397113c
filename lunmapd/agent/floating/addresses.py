"""The addresses of floating portal groups, as the loop of the groups uses them (service/lease).

A takeover group has no addresses: in their place its lease gives the optimized state to its Luns.
"""

from typing import Protocol

from msgspec import Struct

from lunmapd.core.base.errors import ConditionError
from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.promotion import HookCall, Promotion
from lunmapd.core.node.failure import Failure


class LeaseError(ConditionError, reason=None):
    """Root of the errors of a request about addresses."""


class NoInterfaceError(LeaseError, reason=Reason.NO_INTERFACE):
    """No interface of this node is in the network of an address, or the named one is missing."""


class GrantLateError(LeaseError, reason=Reason.LEASE_UNBOUNDED):
    """The kernel could not be given an address in time, so the process that tried was ended."""


class LeaseProcessError(LeaseError, reason=Reason.LEASE_PROCESS):
    """The process that holds the addresses can't be started, has ended, or the kernel refused its call."""


class HookFailedError(LeaseError, reason=Reason.HOOK_FAILED):
    """The hook of a group could not demote the storage of its Luns."""


class GroupAddresses(Struct, frozen=True):
    """The addresses of a group, as Python's ipaddress spells them.

    `interface` is the name of the interface that gets them, "" for the one whose network has them. Those of
    a takeover group are the names of its Luns; `closed` is the state of each without the lease. `hook`
    promotes the storage of the Luns before, None if it needs none.
    """

    addresses: tuple[str, ...]
    interface: str = ""
    closed: tuple[tuple[str, AluaState], ...] = ()
    hook: HookCall | None = None


class Presence(Struct, frozen=True):
    """Those addresses of a group that an interface of this node has now.

    `problem` keeps this node from serving them: no interface is in their network, or it has no link. `absent`
    are the Luns that LIO does not have on this node: nothing can be done for them. `promotion` is that of the
    storage, None without a hook.
    """

    present: frozenset[str] = frozenset()
    problem: Failure | None = None
    absent: frozenset[str] = frozenset()
    promotion: Promotion | None = None


class Duplicate(Struct, frozen=True):
    """An address, and the hardware address of the other machine that answered for it."""

    address: str
    hardware: str


class Addresses(Protocol):
    """Gives addresses to the kernel for a limited time.

    Every call may come from another thread, and raises a LeaseError. A grant, a drop and a presence wait for
    no duplicate detection and no announcement of another group. The implementation itself removes the
    addresses of a group when the lifetime of its last grant ends.
    """

    def presence(self, group: GroupAddresses) -> Presence:
        """Return which addresses the kernel has now, read from the kernel."""

    def detect_duplicates(self, group: GroupAddresses) -> Duplicate | None:
        """Ask the network whether another machine has one of the addresses (RFC 5227, RFC 4862).

        This takes about 0.3 seconds.
        """

    def grant(self, group: GroupAddresses, lifetime: int, not_after: float) -> None:
        """Give all addresses to the kernel for `lifetime` seconds, or extend them.

        No call into the kernel begins after `not_after`, a time of CLOCK_BOOTTIME in seconds, and none that
        has begun goes on after it: the process that makes it is killed. Raises GrantLateError then.
        """

    def announce(self, group: GroupAddresses) -> None:
        """Inform the neighbours of the hardware address; return once that was sent for the first time."""

    def drop(self, group: GroupAddresses) -> None:
        """Remove the addresses from the kernel; one that is missing is no error."""

    def close(self) -> None:
        """End the process. The addresses stay until their lifetime ends, or until another one extends it."""
