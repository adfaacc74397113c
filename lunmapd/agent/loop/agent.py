"""The loop: read the map, make a pass, say how it went; woken by anything, told nothing by the waking."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import starmap

from msgspec.structs import replace

from lunmapd.agent.loop.daemon_state import DaemonState, Deferral
from lunmapd.agent.loop.follow import Follower, ReadResult
from lunmapd.agent.loop.isolation import ContactTimer
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.pass_input import Circumstances, NoMapError, pass_input, point_of
from lunmapd.agent.loop.pass_log import trace_result
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.loop.report import CycleResult, first_status, next_status, reason_of
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import Edges, Kernel, reconcile
from lunmapd.agent.reconcile.result import PassResult, RemovalHeldError
from lunmapd.agent.reconcile.transition_log import Voice
from lunmapd.agent.state.process import this_process
from lunmapd.agent.state.seen_file import ValidityKey
from lunmapd.clock import utc_now
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.events import Event, Timer, WakeCause
from lunmapd.core.fleet.status import ConditionUpdate, HistoryPoint
from lunmapd.core.planning.enablement import Offer
from lunmapd.core.secrets.sealing import Keyring
from lunmapd.store.session.errors import NoAccessError, NodeNameTakenError, StoreError
from lunmapd.store.tree.snapshot import Snapshot
from lunmapd.trace import trace

log = logging.getLogger(__name__)


class Agent:
    """One node's agent: it brings the map, the kernel and the status together."""

    def __init__(  # noqa: PLR0913 - the clock is an option
        self,
        member: Registration,
        follower: Follower,
        kernel: Kernel,
        local: NodeFiles,
        policy: Policy,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bring the parts together; nothing is done before `turn`. `now` is a monotonic clock."""
        self._member = member
        self._follower = follower
        self._kernel = kernel
        self._local = local
        self._keys = Keyring()
        self._policy = policy
        self._contact = ContactTimer(policy.isolate_after, now)
        self._voice = Voice()
        self._state = PassState(policy.audit, policy.retry, now)
        self._point: HistoryPoint | None = None
        self._changed = threading.Event()
        self.status = first_status(member.boot, utc_now())

    def watch(self, notify: Callable[[WakeCause], None]) -> None:
        """Call `notify`, from another thread, when a cycle may find something new in the tree."""
        self._follower.watch(notify)

    def tidy(self) -> None:
        """Do what can wait until a cycle is reported: compact the local snapshot."""
        self._follower.tidy()

    def pause(self, cycle: CycleResult) -> float:
        """Return the seconds until the next cycle, if nothing starts it earlier."""
        timers = dict(self._timers(cycle))
        timer = min(timers, key=lambda name: timers[name])
        trace(log, Event.PAUSED, seconds=timers[timer], timer=timer)
        return timers[timer]

    def _timers(self, cycle: CycleResult) -> Iterator[tuple[Timer, float]]:
        """Yield each timer that is set after a cycle, and the seconds until it ends."""
        passed = cycle.result is not None or isinstance(cycle.error, RemovalHeldError)
        if passed and cycle.store_error is None:
            yield Timer.RESYNC, self._policy.resync
        else:
            yield Timer.RETRY, self._policy.retry
        if passed:
            yield from self._state.schedule.timers()
        yield Timer.ISOLATION, self._contact.until_isolated()

    def adopt(self, policy: Policy) -> None:
        """Go by another policy from now on, but for `isolate_after`, and read everything at the next cycle."""
        self._policy = policy
        self._state.reload(policy.audit, policy.retry)
        self._follower.adopt(policy)

    def try_again(self) -> None:
        """Let the next turn try whatever fails, since something may have changed for it; may be called from any thread."""
        self._changed.set()

    def run_cycle(self) -> CycleResult:
        """Read, make one pass, report. Whatever lunmapd raises on purpose becomes a condition."""
        self._contact.ask()
        self._keys = self._read_keys()
        reading = self._read()
        self._contact.answered(reading.error)
        self._note_changes()
        offer = self._contact.offer()
        verdicts = *reading.verdicts, *self._contact.verdicts(offer), *self._contested(reading.snapshot)
        cycle = self._pass(reading, offer, verdicts)
        self._report(cycle)
        self._keep()
        return cycle

    def _read(self) -> ReadResult:
        """Register the node, then read the tree: a node that reads the map is one that others can see."""
        try:
            self._member.join()
        except StoreError as error:
            return self._follower.unread(error)
        return self._follower.read()

    def _note_changes(self) -> None:
        if self._changed.is_set() or self._member.is_new_session():
            self._changed.clear()
            self._state.try_again()

    def _read_keys(self) -> Keyring:
        """Read the keys; without them the secrets fail one by one, and everything else goes on."""
        try:
            keys = self._local.keys()
        except LunmapdError as error:
            self._voice.keyless(error)
            return Keyring()
        self._voice.keyless(None)
        return keys

    def _contested(self, snapshot: Snapshot | None) -> Iterator[ConditionUpdate]:
        if self._local.rival is not None and snapshot is not None:
            yield self._local.rival.verdict(snapshot.lunmap, self._member.node)

    def _pass(self, reading: ReadResult, offer: Offer, verdicts: tuple[ConditionUpdate, ...]) -> CycleResult:
        snapshot = reading.snapshot
        if isinstance(reading.error, NodeNameTakenError):
            return CycleResult(store_error=reading.error, verdicts=verdicts)
        if snapshot is None:
            nothing = NoMapError("there is no map to follow; LIO is left as it is")
            return CycleResult(store_error=reading.error, error=nothing, verdicts=verdicts)
        at = point_of(snapshot)
        try:
            result = self._reconcile(snapshot, at, offer, reading.error)
            return CycleResult(at, result, reading.error, None, verdicts)
        except LunmapdError as error:
            return CycleResult(at, None, reading.error, error, verdicts)

    def _reconcile(
        self, snapshot: Snapshot, at: HistoryPoint, offer: Offer, error: StoreError | None
    ) -> PassResult:
        node, holds, local = self._member.node, self._follower.holds, self._local
        # What has just had no answer is not asked again.
        is_heard = not isinstance(error, NoAccessError)
        confirmed = holds.confirmed(snapshot) if is_heard else None
        circumstances = Circumstances(confirmed, holds.decided, offer)
        given = pass_input(node, snapshot, self._policy, self._keys, circumstances)
        edges = Edges(self._kernel, local.claims, self._member if is_heard else None, local.past)
        terms = ValidityKey(at, node, self._member.boot, self._keys.ids)
        self._point = at
        try:
            result = reconcile(edges, given, self._state, terms)
        except RemovalHeldError as held:
            trace(log, Event.RECONCILE_HELD, revision=snapshot.revision, reason=held.held)
            holds.held(snapshot.revision)
            raise
        trace_result(snapshot.revision, result)
        holds.passed(snapshot.revision, result.decided)
        self._voice.failures(result.failures)
        return result

    def _report(self, cycle: CycleResult) -> None:
        self.status = replace(
            next_status(self.status, cycle, utc_now()), keys=self._keys.ids, beat=self._policy.beat
        )
        self._voice.conditions(self.status.conditions)
        if isinstance(cycle.store_error, NodeNameTakenError):
            return
        try:
            self._member.report(self.status)
        except StoreError as error:
            trace(log, Event.STATUS_FAILED, reason=reason_of(error))
            self._voice.unwritten(error)
        else:
            self._voice.unwritten(None)

    def _keep(self) -> None:
        """Keep on disk what was seen, so that a restart knows drift from what it has still to do."""
        self._state.baseline.save(self._local.past)
        if self._local.past is not None:
            self._voice.forgetful(self._local.past.trouble)
        if self._local.state is not None:
            self._local.state.write(self._daemon_state())

    def _daemon_state(self) -> DaemonState:
        """Return what `lunmapd plan` can't know without this daemon."""
        holds = self._follower.holds
        return DaemonState(
            process=this_process(self._member.boot),
            policy=self._policy,
            has_map=self._follower.has_map,
            point=self._point,
            keys=self._keys.ids,
            first=holds.first,
            decided=tuple(sorted(holds.decided)),
            silent_since=self._contact.silent_since,
            met=self._contact.met,
            deferrals=tuple(starmap(Deferral, self._state.schedule.deferrals())),
        )
