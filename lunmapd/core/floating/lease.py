"""The lease of a floating portal group: its record in ZooKeeper, and the times that follow from it.

The record is written by compare-and-set on its znode version. A node gives its kernel the addresses only
after an acknowledged write, and they are gone when the lease time has passed since that write was sent. A
node that takes over waits for the lease time by its own clock, counted from its first read of the last
version. So no assumption about the clocks of two machines is needed, except for their rates, and none about
ZooKeeper's sessions.

All times are in seconds by CLOCK_BOOTTIME of the node that measures them (clock_gettime(2)).
"""

import math

from msgspec import Struct
from msgspec.structs import replace

RATE_DIFFERENCE = 1 / 500
"""How much faster one clock may be than another: more than twice the 500 ppm of adjtimex(2)."""

HEAD_START = 2.0
"""How long in seconds only the node that the former owner chose may take a released address.

As long as that node is fit, no other one wants to (turn.py).
"""

ADOPTED = 3.0
"""The lease of what an earlier process of this node left open or promoted.

The daemon renews the record in this time, or may not be the owner any more.
"""

CONTACT = 2.0
"""How long ZooKeeper must have answered a node before a live owner counts as one that renews nothing.

After an outage of ZooKeeper, the owner needs this time to renew its lease.
"""

RESTART_LIFETIME = 20
"""The lifetime of the last grant before a restart of the daemon, in seconds."""

RESTART_LATENESS = 3.5
"""How late in seconds the kernel removes an address after RESTART_LIFETIME at most.

A timer of the kernel is late by up to 8/63 of its time (LVL_START in kernel/time/timer.c).
"""


class LeaseTimes(Struct, frozen=True):
    """The times of an owner.

    `lifetime` is the `valid_lft` of each grant, in whole seconds as the kernel counts. A grant reaches the
    kernel at most `slack` after the write that permits it was sent. The kernel removes an address at most
    `lateness` after its lifetime (check_lifetime in net/ipv4/devinet.c). `renewal` is the time between two
    writes of the record.
    """

    lifetime: int = 5
    slack: float = 1.0
    lateness: float = 1.5
    renewal: float = 1.0

    @property
    def total(self) -> float:
        """The lease time: no grant of a write has effect later than this after the write was sent."""
        return self.slack + self.lifetime + self.lateness

    @property
    def milliseconds(self) -> int:
        """The lease time in milliseconds, rounded up."""
        return math.ceil(self.total * 1000)


class LeaseRecord(Struct, frozen=True, omit_defaults=True):
    """The document of a group's znode `lease`.

    `owner` is "" if the group is released or never had an owner; `boot` is the boot id of the owner's kernel.
    `lease_ms` is its lease time in milliseconds. `quiet` says of a released group that the former owner has
    no command of it left; `successor` is the node that is to take it, "" for any.
    """

    owner: str = ""
    boot: str = ""
    lease_ms: int = 0
    quiet: bool = True
    successor: str = ""


class Proof(Struct, frozen=True):
    """An acknowledged write of the record: the version that it made, and the clock before it was sent."""

    version: int
    sent: float


def owner_record(node: str, boot: str, times: LeaseTimes) -> LeaseRecord:
    """Return the record of a take."""
    return LeaseRecord(node, boot, lease_ms=times.milliseconds)


def renewed_record(record: LeaseRecord, times: LeaseTimes, *, is_shortened: bool) -> LeaseRecord:
    """Return the record that renews one of the same owner.

    `is_shortened`: the last grant was by `record`, for the lifetime of `times` or less. Otherwise a longer
    one, of before a restart, may still have effect, so the lease gets no shorter.
    """
    shortest = 0 if is_shortened else record.lease_ms
    return LeaseRecord(record.owner, record.boot, lease_ms=max(times.milliseconds, shortest))


def before_restart(times: LeaseTimes) -> LeaseTimes:
    """Return the times of an owner whose daemon is about to be restarted."""
    return replace(
        times,
        lifetime=max(times.lifetime, RESTART_LIFETIME),
        lateness=max(times.lateness, RESTART_LATENESS),
    )


def last_grant(times: LeaseTimes, proof: Proof) -> float:
    """Return the time after which no grant of a write may reach the kernel any more."""
    return proof.sent + times.slack


def lease_end(times: LeaseTimes, proof: Proof) -> float:
    """Return the time at which the owner removes the address itself if no later write is acknowledged.

    A grant that reached the kernel in time ends here at the latest, up to the kernel's lateness.
    """
    return proof.sent + times.slack + times.lifetime


def take_time(
    record: LeaseRecord, seen_at: float, grace: float, node: str, contact_at: float = float("-inf")
) -> float:
    """Return when `node` may take the group over, if the record does not change meanwhile.

    `seen_at` is the first read of the record's present version. `grace` is added where the former owner may
    have commands left that can still reach the device. `contact_at` is since when ZooKeeper answers this
    node, if the owner's session lives.
    """
    if record.owner:
        return max(longest_end(record, seen_at) + grace, contact_at + CONTACT)
    head_start = 0.0 if record.successor in {"", node} else HEAD_START
    return seen_at + max(head_start, 0.0 if record.quiet else grace)


def longest_end(record: LeaseRecord, seen_at: float) -> float:
    """Return when the last grant by a record has no effect any more, by the slowest clock."""
    return seen_at + record.lease_ms / 1000 * (1 + RATE_DIFFERENCE)
