"""What a node shows of a floating portal group."""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.floating.documents import Report
from lunmapd.core.floating.facts import Facts
from lunmapd.core.floating.lease import lease_end
from lunmapd.core.node.failure import Failure


class Phase(StrEnum):
    """What a node does with a group."""

    STANDBY = "standby"
    WAITING = "waiting"
    TAKING = "taking"
    OWNER = "owner"
    RELEASING = "releasing"
    LOST = "lost"
    IN_USE = "in-use"


class GroupView(Struct, frozen=True):
    """A group as its node sees it.

    `owner` is the node that the record names, `since` when it did so first. `report` is how well this node
    can own the group, `wish` the node that an admin moved it to. `seconds` are left of this node's lease.
    `problem` keeps this node from serving the group, or is the last error of an action for it.
    """

    id: GroupId
    phase: Phase = Phase.STANDBY
    owner: str = ""
    since: str = ""
    report: Report = Report()
    wish: str = ""
    seconds: float = 0.0
    problem: Failure | None = None


def phase_of(facts: Facts, now: float) -> Phase:
    """Return the phase that follows from the facts."""
    if facts.owns:
        return _own_phase(facts, now) if facts.wanted else Phase.RELEASING
    if facts.present or facts.enabled:
        return Phase.LOST
    if not facts.wanted:
        return Phase.STANDBY
    in_use = facts.check is not None and not facts.check.free
    return Phase.IN_USE if in_use else Phase.WAITING


def _own_phase(facts: Facts, now: float) -> Phase:
    if facts.complete and facts.enabled:
        return Phase.OWNER
    if facts.check is not None and not facts.check.free and not facts.complete:
        return Phase.IN_USE
    return Phase.LOST if facts.enabled or (facts.proof and not seconds_left(facts, now)) else Phase.TAKING


def seconds_left(facts: Facts, now: float) -> float:
    """Return how long this node may still have the addresses by its last proof."""
    if facts.proof is None or not facts.owns:
        return 0.0
    return max(0.0, lease_end(facts.times, facts.proof) - now)


def in_use(address: str, hardware: str) -> Failure:
    """Return the problem of an address for which another machine answers."""
    return Failure(
        Reason.ADDRESS_IN_USE,
        f"{address} is in use by another machine with the hardware address {hardware}, so it is not taken: "
        "remove the address there, or correct 'portals' of the floating group",
    )
