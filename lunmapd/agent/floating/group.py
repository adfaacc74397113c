"""One floating portal group at one node: its facts, its next action, and what comes of it."""

import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.floating.addresses import Addresses, LeaseError, Presence
from lunmapd.agent.floating.group_log import GroupLog
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.memory import Memory
from lunmapd.agent.floating.stored_group import GroupStore
from lunmapd.agent.floating.tpgs import TpgError, Tpgs, TpgStuckError
from lunmapd.agent.floating.view import GroupView, in_use, lease_seconds_left, phase_of
from lunmapd.clock import utc_now
from lunmapd.core.base.errors import ConditionError
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.choice import Candidate
from lunmapd.core.floating.documents import Report
from lunmapd.core.floating.facts import (
    Announce,
    DetectDuplicates,
    Disable,
    Drop,
    DuplicateCheck,
    Enable,
    Facts,
    Grant,
    LeaseAction,
    Release,
    Renew,
    Take,
    Wait,
)
from lunmapd.core.floating.lease import LeaseRecord, LeaseTimes, owner_record
from lunmapd.core.floating.next_action import CHECK_PAUSE, next_action
from lunmapd.core.floating.turn import idle_time, next_owner
from lunmapd.core.node.failure import Failure
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import LostError, StoreError
from lunmapd.store.tree.floating import NOBODY, GroupState

_RECENT = 2 * CHECK_PAUSE  # seconds for which a duplicate that was found is a problem

LOOK = 1.0
"""The longest time in seconds between two looks at the facts."""

PAUSE = 0.2
"""The time in seconds before an action that failed is tried again."""


class Identity(NamedTuple):
    """This node, and the boot id of its kernel."""

    node: str
    boot: str


class Edges(NamedTuple):
    """What a group acts on, and its clock (CLOCK_BOOTTIME, in seconds)."""

    store: GroupStore
    addresses: Addresses
    tpgs: Tpgs
    clock: Callable[[], float]


class Judgement(Struct, frozen=True):
    """How well this node can own the group, by its last pass; `reason` says why it is not fit."""

    fit: bool
    served: int
    reason: str = ""


class _Local(Struct, frozen=True):
    """What the kernel had of a group at a time."""

    plan: GroupPlan
    at: float
    presence: Presence
    enabled: bool


class LeasedGroup:
    """Follows the lease of one group: call `step` again and again, from one thread.

    `plan`, `judgement`, `listed` and `leaving` may be set from another thread. `judgement` is None before the
    first pass: then the report of an earlier run of this boot counts. `listed`: the map still lets this node
    own the group. `leaving`: this node gives the group up, and takes it no more.
    """

    def __init__(self, plan: GroupPlan, me: Identity, edges: Edges, times: LeaseTimes) -> None:
        """Prepare; nothing is read or written yet."""
        self.plan, self.listed, self.leaving = plan, True, False
        self.judgement: Judgement | None = None
        self.view = GroupView(plan.id)
        self._me, self._edges, self._times = me, edges, times
        self._memory = Memory()
        self._state = GroupState()
        self._log = GroupLog(plan.id)
        self._report = Report()
        self._fit_since: float | None = None
        self._stuck: Failure | None = None
        self._problem: Failure | None = None
        self._local: _Local | None = None
        self._refused = False
        # Since when the report and the session of each candidate are as they are.
        self._unchanged: Mapping[str, float] = {}
        self._passed: AbstractSet[str] = frozenset()
        self._contact: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether a group that the map took from this node is given up wholly."""
        view, gone = self.view, self._refused or self.view.owner != self._me.node
        return not self.listed and gone and view.phase in {GroupPhase.STANDBY, GroupPhase.RELEASING}

    def step(self) -> float:
        """Read the facts and do what comes next; return the seconds until the next step."""
        self._problem = None
        plan = self.plan
        self._read(plan)
        try:
            local = self._look(plan)
        except (LeaseError, TpgError) as error:
            self._fail(error)
            self._give_up(str(error))
            return LOOK
        self._report = self._judge(local.presence)
        facts = self._facts(plan, local)
        action = next_action(facts, self._edges.clock())
        wait = self._act(plan, facts, action)
        if not isinstance(action, Wait | Take | Renew):
            self._local = None  # the action changed what was read
        self._show(self._view(facts, local.presence, self._edges.clock()))
        self._write_report()
        return wait

    def _give_up(self, reason: str) -> None:
        """Report that this node can do nothing for the group now, so that another one may take it.

        Before the first pass the report of an earlier run stays.
        """
        if self.judgement is not None:
            self._report = self._reported(Judgement(fit=False, served=0, reason=reason))
        self._show(replace(self.view, report=self._report, problem=self._problem))
        if self.judgement is not None:
            self._write_report()

    def _look(self, plan: GroupPlan) -> _Local:
        """Return what the kernel has; a renewal and the watch that it sets off change nothing there."""
        now, known = self._edges.clock(), self._local
        if known is not None and known.plan == plan and now < known.at + LOOK / 2:
            return known
        self._local = None
        presence = self._edges.addresses.presence(plan.addresses)
        self._local = _Local(plan, now, presence, self._edges.tpgs.is_enabled(plan.tpg))
        return self._local

    def _read(self, plan: GroupPlan) -> None:
        before = self._state.candidates
        try:
            self._state = self._edges.store.read(plan.group.nodes)
        except StoreError as error:
            self._fit_since = None  # other nodes did not see that it was fit
            self._contact = None
            self._fail(error)
            return
        now = self._edges.clock()
        self._contact = now if self._contact is None else self._contact
        same = {node for node, view in self._state.candidates.items() if before.get(node) == view}
        self._unchanged = {
            node: self._unchanged[node] if node in same else now for node in self._state.candidates
        }
        self._passed &= same
        if self._state.lease is not None:
            self._memory.learn(self._state.lease, now)

    def _facts(self, plan: GroupPlan, local: _Local) -> Facts:
        memory, wanted = self._memory, set(plan.addresses.addresses)
        is_placed = memory.placed == plan.addresses
        presence, enabled = local.presence, local.enabled
        if not enabled:
            self._stuck = None
        if memory.check is not None and self._edges.clock() > memory.check.at + _RECENT:
            memory.check = None
        chosen = self._chosen(plan)
        return Facts(
            node=self._me.node,
            boot=self._me.boot,
            times=self._times,
            grace=float(plan.group.grace),
            wanted=chosen == self._me.node and self._memory.version >= 0,
            successor="" if chosen == self._me.node else chosen,
            record=memory.record,
            version=memory.version,
            seen_at=memory.seen_at,
            owner_live=self._is_live(memory.record.owner),
            proof=memory.proof,
            present=bool(presence.present),
            complete=presence.present | presence.absent >= wanted,
            granted=memory.granted if is_placed else None,
            announced=memory.announced and is_placed,
            enabled=enabled,
            stuck=self._stuck is not None,
            check=memory.check,
        )

    def _is_live(self, node: str) -> bool:
        found = self._state.candidates.get(node)
        return found is not None and found.live

    def _chosen(self, plan: GroupPlan) -> str:
        """Return the node that is to own the group, as this node sees it."""
        record = self._memory.record
        idle = 0.0 if record.owner == self._me.node else self._idle(record, float(plan.group.grace))
        return next_owner(plan.group, self._candidates(), record, self._state.wish.node, idle)

    def _idle(self, record: LeaseRecord, grace: float) -> float:
        """Return for how many seconds the group could have been taken; a time without contact is no such."""
        now = self._edges.clock()
        seen_at = max(self._memory.seen_at, now if self._contact is None else self._contact)
        return idle_time(record, seen_at, grace, now, owner_live=self._is_live(record.owner))

    def _candidates(self) -> Mapping[str, Candidate]:
        others = {
            node: replace(found.candidate, settled=False) if node in self._passed else found.candidate
            for node, found in self._state.candidates.items()
        }
        report = self._report
        return {**others, self._me.node: Candidate(report.fit, report.settled, report.served)}

    def _note_passed(self, before: Facts) -> None:
        """Note the node that let its turn pass and reported nothing meanwhile: it hangs.

        The group does not return to it until its report changes or its session ends.
        """
        wish = self._state.wish.node
        first = next_owner(self.plan.group, self._candidates(), before.record, wish, idle=0.0)
        if first != self._me.node and self._unchanged.get(first, math.inf) <= before.seen_at:
            self._passed |= {first}

    def _write_report(self) -> None:
        """Write how well this node can own the group, where that changed, and let it appear."""
        known = self._state.candidates.get(self._me.node)
        report = replace(self._report, phase=self.view.phase)
        try:
            if known is not None and known.report != report:
                self._edges.store.report(report)
            self._edges.store.appear()
        except StoreError as error:
            self._fail(error)

    def _judge(self, presence: Presence) -> Report:
        found = self._judgement(presence)
        return self._earlier_report() if found is None else self._reported(found)

    def _reported(self, found: Judgement) -> Report:
        now = self._edges.clock()
        if not found.fit:
            self._fit_since = None
        elif self._fit_since is None:
            self._fit_since = now
        settled = self._fit_since is not None and now >= self._fit_since + self.plan.group.failback_after
        before = self._report
        same = (before.fit, before.reason) == (found.fit, found.reason) and before.since
        since = before.since if same else utc_now()
        return Report(self._me.boot, found.fit, settled, found.served, found.reason, since)

    def _judgement(self, presence: Presence) -> Judgement | None:
        if self.leaving or not self.listed:
            return Judgement(fit=False, served=0, reason="the node gives the group up")
        if presence.problem is not None:
            return Judgement(fit=False, served=0, reason=presence.problem.message)
        return self.judgement

    def _earlier_report(self) -> Report:
        """Return the report of an earlier run of the daemon in this boot, before this run made a pass."""
        known = self._state.candidates.get(self._me.node)
        if known is not None and known.report.boot == self._me.boot:
            return replace(known.report, phase="")
        return Report(self._me.boot, reason="the node has not made a pass since it booted")

    def _act(self, plan: GroupPlan, facts: Facts, action: LeaseAction) -> float:
        """Do an action; return the seconds until the next step."""
        if isinstance(action, Wait):
            return max(0.0, min(LOOK, action.until - self._edges.clock()))
        try:
            done = self._do(plan, facts, action)
        except (LeaseError, TpgError, StoreError) as error:
            self._fail(error)
            done = False
        return 0.0 if done else PAUSE

    def _do(self, plan: GroupPlan, facts: Facts, action: LeaseAction) -> bool:
        match action:
            case Take() | Renew() | Release():
                return self._write(facts, action)
            case Enable():
                self._edges.tpgs.enable(plan.tpg, plan.group.port_id)
                self._log.serving(facts)
            case Disable():
                self._disable(plan)
            case _:
                self._change_addresses(plan, facts, action)
        return True

    def _write(self, facts: Facts, action: Take | Renew | Release) -> bool:
        """Write the record; return whether this node was the first to write this version."""
        record = owner_record(self._me.node, self._me.boot, self._times)
        if isinstance(action, Release):
            record = LeaseRecord(quiet=action.quiet, successor=action.successor)
        sent = self._edges.clock()
        try:
            version = self._edges.store.write(record, action.version)
        except LostError:
            self._edges.store.reread()
            raise
        except NotPermittedError:
            self._refused = isinstance(action, Release)
            raise
        if version is None:
            self._memory.refused()
            self._edges.store.reread()
            return False
        self._memory.wrote(record, version, sent, self._edges.clock())
        if not isinstance(action, Renew):
            self._log.wrote(facts, record)
        if isinstance(action, Take):
            self._note_passed(facts)
        if isinstance(action, Take) and self._state.wish.node not in {"", self._me.node}:
            self._edges.store.end_wish()
        return True

    def _disable(self, plan: GroupPlan) -> None:
        try:
            self._edges.tpgs.disable(plan.tpg)
        except TpgStuckError as error:
            self._stuck = Failure(error.reason, str(error))
            raise

    def _change_addresses(self, plan: GroupPlan, facts: Facts, action: LeaseAction) -> None:
        addresses, memory, group = self._edges.addresses, self._memory, plan.addresses
        match action:
            case DetectDuplicates():
                found = addresses.detect_duplicates(group)
                memory.check = DuplicateCheck(free=found is None, at=self._edges.clock())
                if found is not None:
                    self._problem = in_use(found.address, found.hardware)
            case Grant(version, lifetime, not_after):
                memory.announced = facts.announced and facts.complete
                addresses.grant(group, lifetime, not_after)
                memory.granted, memory.placed = version, group
            case Announce():
                addresses.announce(group)
                memory.announced = True
            case Drop():
                addresses.drop(group)

    def _fail(self, error: ConditionError | StoreError) -> None:
        reason = error.reason if isinstance(error, ConditionError) else None
        if reason is not None:
            self._problem = Failure(reason, str(error))

    def _view(self, facts: Facts, presence: Presence, now: float) -> GroupView:
        phase, named = phase_of(facts, now), self._memory.record.owner
        owner = "" if named == NOBODY else named
        in_doubt = self._memory.check is not None and not self._memory.check.free
        problem = (
            self._problem or self._stuck or presence.problem or (self.view.problem if in_doubt else None)
        )
        return GroupView(
            self.plan.id,
            phase,
            owner,
            facts.node if facts.wanted else facts.successor,
            self.view.since if phase is self.view.phase else utc_now(),
            self._report,
            self._state.wish.node,
            lease_seconds_left(facts, now),
            problem,
        )

    def _show(self, view: GroupView) -> None:
        self._log.phase(self.view, view)
        self.view = view
