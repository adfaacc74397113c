"""What a node shows of a floating portal group."""

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.clock import utc_now
from lunmapd.core.base.lunmap import GroupId
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import GroupPhase, GroupStatus
from lunmapd.core.floating.documents import Report
from lunmapd.core.floating.facts import Facts
from lunmapd.core.floating.lease import lease_end
from lunmapd.core.floating.promotion import Promotion
from lunmapd.core.node.failure import Failure
from lunmapd.store.tree.floating import NOBODY


class GroupView(Struct, frozen=True):
    """A group as its node sees it.

    `owner` is the node that the record names, `chosen` the one that is to own the group, each "" for none.
    `since` is when the phase began, "" before the first look. `report` is how well this node can own the
    group, `wish` the node that an admin moved it to. `lease_end` is when this node's lease ends unless it is
    renewed (CLOCK_BOOTTIME, in seconds), 0 without one. `takes` counts how often this daemon has taken the
    group. `problem` keeps this node from serving the group, or is the last error of an action for it.
    `demoted` are the Luns whose storage is not promoted here, so that nothing can be read from their devices.
    """

    id: GroupId
    phase: GroupPhase = GroupPhase.STANDBY
    owner: str = ""
    chosen: str = ""
    since: str = ""
    report: Report = Report()
    wish: str = ""
    lease_end: float = 0.0
    takes: int = 0
    problem: Failure | None = None
    demoted: frozenset[str] = frozenset()

    @property
    def shown(self) -> object:
        """What is shown of the group, without what each renewal changes."""
        return self.status, self.wish, self.problem, self.demoted

    @property
    def status(self) -> GroupStatus:
        """The group in the node's status."""
        target, name = self.id
        reason = self.report.reason
        return GroupStatus(target, name, self.phase, self.owner, self.since, self.report.fit, reason)


def next_view(known: GroupView, facts: Facts, now: float) -> GroupView:
    """Return the view that follows from the facts; `known` has what does not: report, wish, problem, Luns."""
    phase, owner = phase_of(facts, now), facts.record.owner
    return replace(
        known,
        phase=phase,
        owner="" if owner == NOBODY else owner,
        chosen=facts.node if facts.wanted else facts.successor,
        since=known.since if phase is known.phase else utc_now(),
        lease_end=_own_lease_end(facts),
    )


def phase_of(facts: Facts, now: float) -> GroupPhase:
    """Return the phase that follows from the facts."""
    if facts.owns:
        return _own_phase(facts, now) if facts.wanted else GroupPhase.RELEASING
    if facts.present or facts.enabled:
        return GroupPhase.LOST
    if _is_in_use(facts):
        return GroupPhase.IN_USE
    return GroupPhase.WAITING if facts.wanted else GroupPhase.STANDBY


def _own_phase(facts: Facts, now: float) -> GroupPhase:
    if facts.complete and facts.enabled:
        return GroupPhase.OWNER
    if _is_in_use(facts):
        return GroupPhase.IN_USE
    is_over = facts.proof is not None and now >= _own_lease_end(facts)
    return GroupPhase.LOST if facts.enabled or is_over else GroupPhase.TAKING


def _is_in_use(facts: Facts) -> bool:
    return facts.check is not None and not facts.check.free and not facts.complete


def demoted_luns(plan: GroupPlan, promotion: Promotion | None) -> frozenset[str]:
    """Return the Luns of a group whose storage a hook would have to promote."""
    if plan.hook is None or promotion is Promotion.PROMOTED:
        return frozenset()
    return frozenset(name for name, _ in plan.hook.luns)


def _own_lease_end(facts: Facts) -> float:
    """Return until when this node may have the addresses by its last proof, 0 if it may not."""
    return 0.0 if facts.proof is None or not facts.owns else lease_end(facts.times, facts.proof)


def in_use(address: str, hardware: str) -> Failure:
    """Return the problem of an address for which another machine answers."""
    return Failure(
        Reason.ADDRESS_IN_USE,
        f"{address} is in use by another machine with the hardware address {hardware}, so it is not taken: "
        "remove the address there, or correct 'portals' of the floating group",
    )
