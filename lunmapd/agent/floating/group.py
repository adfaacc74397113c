"""One floating portal group at one node: its facts, its next action, and what comes of it."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from lunmapd.agent.floating.address_actions import AddressActions
from lunmapd.agent.floating.addresses import Addresses, LeaseError
from lunmapd.agent.floating.candidates import KnownCandidates
from lunmapd.agent.floating.group_facts import facts_of
from lunmapd.agent.floating.group_log import GroupLog
from lunmapd.agent.floating.group_plan import GroupPlan
from lunmapd.agent.floating.inability import Inability
from lunmapd.agent.floating.local import LOOK, Local, LocalLook
from lunmapd.agent.floating.memory import Memory
from lunmapd.agent.floating.own_report import Identity, Judgement, OwnReport, unfit
from lunmapd.agent.floating.stored_group import GroupStore
from lunmapd.agent.floating.tpgs import TpgError, Tpgs, TpgStuckError
from lunmapd.agent.floating.view import GroupView, demoted_luns, next_view
from lunmapd.core.base.errors import ConditionError
from lunmapd.core.fleet.status import GroupPhase
from lunmapd.core.floating.facts import (
    Announce,
    DetectDuplicates,
    Disable,
    Drop,
    Enable,
    Facts,
    Grant,
    LeaseAction,
    Release,
    Renew,
    Take,
    Wait,
)
from lunmapd.core.floating.lease import (
    LeaseRecord,
    LeaseTimes,
    before_restart,
    owner_record,
    renewed_record,
)
from lunmapd.core.floating.next_action import CHECK_PAUSE, next_action
from lunmapd.core.floating.others import others_of
from lunmapd.core.floating.turn import next_owner
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.moving import Others
from lunmapd.store.session.access_errors import NotPermittedError
from lunmapd.store.session.errors import LostError, StoreError
from lunmapd.store.tree.floating import GroupState

_RECENT = 2 * CHECK_PAUSE  # seconds for which a duplicate that was found is a problem

_GAP = 5.0  # seconds between two steps after which this node was stopped, or hung

PAUSE = 0.2
"""The time in seconds before an action that failed is tried again."""


class Edges(NamedTuple):
    """What a group acts on, and its clock (CLOCK_BOOTTIME, in seconds)."""

    store: GroupStore
    addresses: Addresses
    tpgs: Tpgs
    clock: Callable[[], float]


class LeasedGroup:
    """Follows the lease of one group: call `step` again and again, from one thread.

    `plan`, `judgement`, `listed`, `leaving` and `restarting` may be set from another thread. `judgement` is
    None before the first pass: then the report of an earlier run of this boot counts. `listed`: the map still
    lets this node own the group. `leaving`: this node gives the group up, and takes it no more. `restarting`:
    the daemon ends and is started again, so the addresses stay for longer.
    """

    def __init__(self, plan: GroupPlan, me: Identity, edges: Edges, times: LeaseTimes) -> None:
        """Prepare; nothing is read or written yet."""
        self.plan, self.listed, self.leaving, self.restarting = plan, True, False, False
        self.judgement: Judgement | None = None
        self.view = GroupView(plan.id, demoted=demoted_luns(plan, None))
        self._me, self._edges, self._times = me, edges, times
        self._memory = Memory()
        self._actions = AddressActions(edges.addresses, self._memory, edges.clock)
        self._state = GroupState()
        self._log = GroupLog(plan.id)
        self._own, self._known = OwnReport(me), KnownCandidates()
        self._inability = Inability()
        self._stuck: Failure | None = None
        self._problem: Failure | None = None
        self._look = LocalLook(edges.addresses, edges.tpgs, edges.clock)
        self._refused = self._has_hook = False
        self._stepped_at = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether a group that the map took from this node is given up wholly.

        Its hook, too: the process that runs it would demote storage that another group has promoted.
        """
        view, gone = self.view, self._refused or self.view.owner != self._me.node
        return (
            not (self.listed or self._has_hook)
            and gone
            and view.phase in {GroupPhase.STANDBY, GroupPhase.RELEASING}
        )

    @property
    def outlasts_restart(self) -> bool:
        """Whether the kernel has the addresses for long enough, or this node does not own the group."""
        memory, times = self._memory, before_restart(self._times)
        is_long = memory.record.lease_ms >= times.milliseconds and memory.granted == memory.version
        return is_long or self.view.owner != self._me.node

    def others(self, revision: int) -> Others:
        """Return what this node, the owner, can expect of other nodes for a change of a revision."""
        return others_of(self._me.node, self._known.views, revision)

    def step(self) -> float:
        """Read the facts and do what comes next; return the seconds until the next step."""
        self._problem = None
        plan = self.plan
        self._note_gap(self._edges.clock())
        self._read(plan)
        self._has_hook |= plan.hook is not None
        try:
            local = self._look.at(plan)
        except (LeaseError, TpgError) as error:
            self._fail(error)
            self._give_up(str(error))
            return LOOK
        self._has_hook = plan.hook is not None
        now = self._edges.clock()
        unable = self._inability.problem(now) or local.presence.problem
        self._judge(unable, now)
        facts = self._facts(plan, local)
        if facts.serves:
            self._inability.served()
        action = next_action(facts, self._edges.clock())
        wait = self._act(plan, facts, action)
        if not isinstance(action, Wait | Take | Renew):
            self._look.forget()  # the action changed what was read
        self._show(self._view(facts, unable, self._edges.clock()))
        self._write_report()
        return wait

    def _note_gap(self, now: float) -> None:
        """Begin the time anew for which this node has been fit, if it has been stopped for a while."""
        if now > self._stepped_at + _GAP:
            self._own.was_not_seen()
        self._stepped_at = now

    def _give_up(self, reason: str) -> None:
        """Report that this node can do nothing for the group now, so that another one may take it.

        Before the first pass the report of an earlier run stays.
        """
        last = self.judgement
        if last is not None:
            self._own.judge(unfit(reason, last), self.plan.group.failback_after, self._edges.clock())
        self._show(replace(self.view, report=self._own.report, problem=self._problem))
        if last is not None:
            self._write_report()

    def _read(self, plan: GroupPlan) -> None:
        try:
            self._state = self._edges.store.read(plan.group.nodes)
        except StoreError as error:
            self._own.was_not_seen()
            self._memory.contact_at = float("inf")
            self._fail(error)
            return
        now = self._edges.clock()
        self._memory.contact_at = min(self._memory.contact_at, now)
        self._known.follow(self._state.candidates, now)
        if self._state.lease is not None:
            self._memory.learn(self._state.lease, now)

    def _facts(self, plan: GroupPlan, local: Local) -> Facts:
        memory, times = self._memory, self._times
        if not local.enabled:
            self._stuck = None
        if memory.check is not None and self._edges.clock() > memory.check.at + _RECENT:
            memory.check = None
        facts = replace(
            facts_of(plan, self._me, before_restart(times) if self.restarting else times, memory, local),
            owner_live=self._is_live(memory.record.owner),
            stuck=self._stuck is not None,
        )
        chosen = self._chosen(facts, facts.idle(self._edges.clock()))
        is_wanted = chosen == self._me.node
        return replace(facts, wanted=is_wanted and memory.version >= 0, successor="" if is_wanted else chosen)

    def _is_live(self, node: str) -> bool:
        found = self._state.candidates.get(node)
        return found is not None and found.live

    def _chosen(self, facts: Facts, idle: float) -> str:
        """Return the node that is to own the group, as this node sees it."""
        candidates = {**self._known.candidates, self._me.node: self._own.candidate}
        return next_owner(self.plan.group, candidates, facts.record, self._state.wish.node, idle)

    def _took(self, facts: Facts) -> None:
        """Count the take, note the nodes that should have acted before, and end the wish for another node.

        They are the former owner, and the node whose turn was first, if it has reported nothing meanwhile.
        """
        first = self._chosen(facts, 0.0)
        self._memory.takes += 1
        passed = {first} if self._known.is_unchanged(first, facts.seen_at) else set[str]()
        self._known.hang({facts.record.owner, *passed} - {facts.node})
        if self._state.wish.node not in {"", self._me.node}:
            self._edges.store.end_wish()

    def _write_report(self) -> None:
        """Write how well this node can own the group, where that changed, and let it appear."""
        known = self._state.candidates.get(self._me.node)
        report = replace(self._own.report, phase=self.view.phase)
        try:
            if known is not None and known.report != report:
                self._edges.store.report(report)
            self._edges.store.appear()
        except StoreError as error:
            self._fail(error)

    def _judge(self, unable: Failure | None, now: float) -> None:
        """Make this node's report, by its last pass and by the failure that keeps it from serving."""
        found, reason = self.judgement, "" if unable is None else unable.message
        if self.leaving or not self.listed:
            reason = "the node gives the group up"
        if reason:
            found = unfit(reason, found)
        if found is None:
            self._own.keep(self._state.candidates.get(self._me.node))
        else:
            self._own.judge(found, self.plan.group.failback_after, now)

    def _act(self, plan: GroupPlan, facts: Facts, action: LeaseAction) -> float:
        """Do an action; return the seconds until the next step."""
        if isinstance(action, Wait):
            return max(0.0, min(LOOK, action.until - self._edges.clock()))
        try:
            done = self._do(plan, facts, action)
        except (LeaseError, TpgError, StoreError) as error:
            self._fail(error)
            if isinstance(action, Enable | Grant) and self._problem is not None:
                self._inability.refused(self._problem, self._edges.clock())
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
            case DetectDuplicates() | Grant() | Announce() | Drop():
                found = self._actions.carry_out(plan.addresses, facts, action)
                self._problem = found or self._problem
        return True

    def _write(self, facts: Facts, action: Take | Renew | Release) -> bool:
        """Write the record; return whether this node was the first to write this version."""
        record = _next_record(facts, action)
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
            self._took(facts)
        return True

    def _disable(self, plan: GroupPlan) -> None:
        try:
            self._edges.tpgs.disable(plan.tpg)
        except TpgStuckError as error:
            self._stuck = Failure(error.reason, str(error))
            raise

    def _fail(self, error: ConditionError | StoreError) -> None:
        reason = error.reason if isinstance(error, ConditionError) else None
        if reason is not None:
            self._problem = Failure(reason, str(error))

    def _view(self, facts: Facts, unable: Failure | None, now: float) -> GroupView:
        in_doubt = self._memory.check is not None and not self._memory.check.free
        problem = self._problem or self._stuck or unable or (self.view.problem if in_doubt else None)
        demoted = demoted_luns(self.plan, facts.promotion)
        known = replace(
            self.view,
            report=self._own.report,
            wish=self._state.wish.node,
            takes=self._memory.takes,
            problem=problem,
            demoted=demoted,
        )
        return next_view(known, facts, now)

    def _show(self, view: GroupView) -> None:
        self._log.phase(self.view, view)
        self.view = view


def _next_record(facts: Facts, action: Take | Renew | Release) -> LeaseRecord:
    match action:
        case Take():
            return owner_record(facts.node, facts.boot, facts.times)
        case Renew():
            return renewed_record(facts.record, facts.times, is_shortened=facts.is_shortened)
        case Release():
            return LeaseRecord(quiet=action.quiet, successor=action.successor)
