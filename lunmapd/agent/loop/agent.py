"""One cycle of a node: register, read the map, reconcile LIO with it, report the status, save the seen file.

The daemon's loop (service/daemon/loop.py) runs the cycles and waits between them.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import starmap
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lunmapd.agent.floating.conditions import floating_conditions
from lunmapd.agent.floating.groups import FloatingGroups, NoFloatingGroups
from lunmapd.agent.floating.judge import NOTHING_KNOWN, judge_groups
from lunmapd.agent.floating.view import GroupView
from lunmapd.agent.loop.backing_reporter import BackingReporter, DescribeDevice, describe_nothing
from lunmapd.agent.loop.daemon_state import DaemonState, Deferral, Emptied
from lunmapd.agent.loop.follow import Follower, ReadResult
from lunmapd.agent.loop.isolation import ContactTimer
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.pass_input import Circumstances, NoMapError, pass_input, point_of
from lunmapd.agent.loop.pass_log import trace_result
from lunmapd.agent.loop.policy import Policy, limits_of
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.loop.report import CycleResult, first_status, next_status, reason_of, with_former
from lunmapd.agent.loop.serving_checks import (
    BackingChecks,
    NoBackingChecks,
    NoPortalChecks,
    PortalChecks,
    ServingChecks,
)
from lunmapd.agent.loop.unexpected import UnexpectedError, UnexpectedLog, UnexpectedReadError
from lunmapd.agent.reconcile.drain import DrainWatch
from lunmapd.agent.reconcile.moves import MoveWatch
from lunmapd.agent.reconcile.pass_state import PassState
from lunmapd.agent.reconcile.reconcile import LioKernel, PassPorts, reconcile
from lunmapd.agent.reconcile.result import PassResult, RemovalHeldError
from lunmapd.agent.reconcile.transition_log import TransitionLog
from lunmapd.agent.state.process import this_process
from lunmapd.agent.state.seen_file import ValidityKey
from lunmapd.clock import utc_now
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.base.event_reasons import Timer, WakeCause
from lunmapd.core.base.events import Event
from lunmapd.core.fleet.status import FLOATING_SERVED, ConditionUpdate, HistoryPoint
from lunmapd.core.node.refused_logins import Refusals, update_refusals
from lunmapd.core.planning.decide import PassInput
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.secrets.sealing import Keyring
from lunmapd.store.session.errors import NoAccessError, NodeNameTakenError, StoreError
from lunmapd.store.tree.snapshot import Snapshot, effective_map
from lunmapd.trace import trace

if TYPE_CHECKING:
    from lunmapd.core.planning.moving import ServedGroup

_log = logging.getLogger(__name__)


class Agent:
    """Runs the cycles of one node."""

    def __init__(  # noqa: PLR0913 - the clock and the checks are options
        self,
        registration: Registration,
        follower: Follower,
        kernel: LioKernel,
        files: NodeFiles,
        policy: Policy,
        *,
        now: Callable[[], float] = time.monotonic,
        portals: PortalChecks | None = None,
        reads: BackingChecks | None = None,
        describe: DescribeDevice = describe_nothing,
        floating: FloatingGroups | None = None,
        is_single: bool = False,
    ) -> None:
        """Prepare; nothing is read or written before `run_cycle`.

        `now` is a monotonic clock, in seconds. `describe` describes an opened block device. `is_single`:
        there is only one cycle, so a drain waits for no host.
        """
        self._registration = registration
        self._follower = follower
        self._kernel = kernel
        self._files = files
        self._keys = Keyring()
        self._policy = policy
        self._contact = ContactTimer(policy.isolate_after, now)
        self._transitions = TransitionLog()
        self._state = PassState(policy.audit, policy.retry, now)
        self._point: HistoryPoint | None = None
        self._changed = threading.Event()
        self._unexpected = UnexpectedLog()
        self._checks = ServingChecks(portals or NoPortalChecks(), reads or NoBackingChecks())
        self._floating = floating or NoFloatingGroups()
        self._judgements = NOTHING_KNOWN
        self._backings = BackingReporter(describe)
        self._written_result: PassResult | None = None
        self._refusals = Refusals()
        self._drain = None if is_single else DrainWatch(now=now)
        self._moves = MoveWatch(now)
        self._served: tuple[ServedGroup, ...] = ()
        self._now = now
        self.status = first_status(registration.boot, utc_now())

    def watch(self, notify: Callable[[WakeCause], None]) -> None:
        """Call `notify`, from another thread, when a cycle may find something new in the tree."""
        self._follower.watch(notify)

    def tidy(self) -> None:
        """Do what can wait until a cycle is reported: compact the local snapshot, report opened backings."""
        self._follower.tidy()
        try:
            self._report_backings()
        except StoreError as error:
            trace(_log, Event.STATUS_FAILED, reason=reason_of(error))
        except Exception as error:  # noqa: BLE001 - the status does not depend on these reports
            self._unexpected.record(error)

    def pause(self, cycle: CycleResult) -> float:
        """Return the seconds until the next cycle, if nothing starts it earlier."""
        timers = dict(self._timers(cycle))
        timer = min(timers, key=lambda name: timers[name])
        trace(_log, Event.PAUSED, seconds=timers[timer], timer=timer)
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
        yield Timer.ROLLOUT, self._follower.until_deadline

    def adopt(self, policy: Policy) -> None:
        """Use another policy, except for its `isolate_after`; the next read and pass are full ones."""
        self._policy = policy
        self._state.reload(policy.audit, policy.retry)
        self._follower.adopt(policy)

    def try_again(self) -> None:
        """Let the next cycle try all that fails, because something outside has changed.

        Callable from any thread.
        """
        self._changed.set()

    def devices_changed(self, numbers: AbstractSet[str] | None = None) -> None:
        """Let the next cycle try all that fails, and report the names of these devices anew.

        `numbers` are as in sysfs (`253:0`); None means all opened devices. Callable from any thread.
        """
        self._backings.devices_changed(numbers)
        self.try_again()

    def run_cycle(self) -> CycleResult:
        """Run one cycle. Each error becomes a condition of the status, but for those of unexpected.py."""
        try:
            return self._run_stages()
        except Exception as error:  # noqa: BLE001 - see unexpected.py
            return self._give_up(error)

    def _run_stages(self) -> CycleResult:
        self._contact.read_begins()
        self._keys = self._read_keys()
        reading = self._read()
        self._contact.read_ended(reading.error)
        self._handle_changes()
        self._follow_groups(reading)
        enablement = self._contact.enablement()
        conditions = (
            *reading.conditions,
            *self._contact.conditions(enablement),
            *self._contention(reading.snapshot),
            *floating_conditions(self._floating.views(), known=self._has_condition(FLOATING_SERVED)),
        )
        cycle = self._note_refusals(self._pass(reading, enablement, conditions))
        cycle = replace(cycle, tried=reading.snapshot.tried if reading.snapshot else 0)
        self._report(cycle)
        self._save_seen()
        return cycle

    def _read(self) -> ReadResult:
        """Register the node, then read the tree: a node that follows the map is one that others can see.

        Nearly always the request that reads what is new also reads whether the node is still registered.
        """
        try:
            if self._registration.is_made:
                reading = self._follower.read()
                # Servers that have just not answered are not asked again in this cycle.
                if isinstance(reading.error, NoAccessError) or self._registration.is_held_by(reading.owner):
                    return reading
            self._registration.register()
            return self._follower.read()
        except StoreError as error:
            return self._follower.unread(error)
        except Exception as error:  # noqa: BLE001 - the last map is followed on
            return self._follower.unread(UnexpectedReadError(self._unexpected.record(error)))

    def _handle_changes(self) -> None:
        is_new_session = self._registration.is_new_session()
        if is_new_session:
            self._backings.forget_written()
        if self._changed.is_set() or is_new_session:
            self._changed.clear()
            self._state.try_again()

    def _read_keys(self) -> Keyring:
        """Return the keys; none if the key file can't be used: then only the objects with secrets fail."""
        try:
            keys = self._files.keys()
        except LunmapdError as error:
            self._transitions.keys_unusable(error)
            return Keyring()
        self._transitions.keys_unusable(None)
        return keys

    def _contention(self, snapshot: Snapshot | None) -> Iterator[ConditionUpdate]:
        if self._files.targetctl is not None and snapshot is not None:
            yield self._files.targetctl.condition(effective_map(snapshot), self._registration.node)

    def _pass(
        self, reading: ReadResult, enablement: Enablement, conditions: tuple[ConditionUpdate, ...]
    ) -> CycleResult:
        snapshot = reading.snapshot
        if isinstance(reading.error, NodeNameTakenError):
            return CycleResult(store_error=reading.error, conditions=conditions)
        if snapshot is None:
            no_map = NoMapError("there is no map to follow; LIO is left as it is")
            return CycleResult(store_error=reading.error, error=no_map, conditions=conditions)
        at = point_of(snapshot)
        try:
            result = self._reconcile(snapshot, at, enablement, reading)
            return CycleResult(at, result, reading.error, None, conditions, snapshot.lunmap)
        except LunmapdError as error:
            return CycleResult(at, None, reading.error, error, conditions, snapshot.lunmap)
        except Exception as error:  # noqa: BLE001 - the next pass tries again
            unexpected = UnexpectedError(self._unexpected.record(error))
            return CycleResult(at, None, reading.error, unexpected, conditions, snapshot.lunmap)

    def _give_up(self, error: Exception) -> CycleResult:
        """Report a cycle that an unexpected error ended outside of the read and the pass."""
        cycle = CycleResult(error=UnexpectedError(self._unexpected.record(error)))
        self.status = next_status(self.status, cycle, utc_now())
        with suppress(Exception):
            self._registration.report(self.status)
        return cycle

    def _reconcile(
        self, snapshot: Snapshot, at: HistoryPoint, enablement: Enablement, reading: ReadResult
    ) -> PassResult:
        # A tree that has just not answered is not read again in this cycle.
        is_readable = not isinstance(reading.error, NoAccessError)
        given = replace(self._given(snapshot, enablement, is_readable=is_readable), change=reading.change)
        ports = self._ports(snapshot, is_readable=is_readable)
        valid_for = ValidityKey(at, self._registration.node, self._registration.boot, self._keys.ids)
        confirmations = self._follower.confirmations
        self._point = at
        try:
            result = reconcile(ports, given, self._state, valid_for)
        except RemovalHeldError as held:
            trace(_log, Event.RECONCILE_HELD, revision=snapshot.revision, reason=held.held)
            confirmations.held(snapshot.revision)
            self._checks.check(held.observed, self._demoted())
            raise
        self._checks.check(result.observed, self._demoted())
        trace_result(snapshot.revision, result)
        confirmations.passed(snapshot.revision, result.decided)
        self._transitions.failures(result.failures)
        return result

    def _given(self, snapshot: Snapshot, enablement: Enablement, *, is_readable: bool) -> PassInput:
        """Return the input of a pass; without a readable tree no confirmation is asked for."""
        confirmations = self._follower.confirmations
        circumstances = Circumstances(
            confirmations.confirmed(snapshot) if is_readable else None,
            confirmations.decided,
            enablement,
            self._checks.portal_problems(),
            self._checks.read_problems(),
        )
        given = pass_input(self._registration.node, snapshot, self._policy, self._keys, circumstances)
        self._served = self._moves.served(self._floating.served(snapshot.revision))
        return replace(given, served=self._served)

    def _ports(self, snapshot: Snapshot, *, is_readable: bool) -> PassPorts:
        """Return what a pass acts on; without a readable tree it asks no other node."""
        files = self._files
        if files.addresses is not None and files.addresses.record is None:
            files.addresses.follow(None, snapshot)
        fleet = self._registration if is_readable else None
        return PassPorts(
            self._kernel, files.claims, fleet, files.seen, files.addresses, self._drain, self._moves
        )

    def _demoted(self) -> frozenset[str]:
        """Return the Luns whose storage is not promoted here."""
        return frozenset[str]().union(*(view.demoted for view in self._floating.views()))

    def _note_refusals(self, cycle: CycleResult) -> CycleResult:
        """Return the cycle with the refused logins; a partial pass reads no counters, and finds none."""
        if cycle.result is None:
            return cycle
        counters = cycle.result.observed.login_counters
        self._refusals = update_refusals(self._refusals, counters, self._now(), utc_now())
        self._transitions.refusals(self._refusals.reported)
        return replace(cycle, refusals=self._refusals)

    def _report(self, cycle: CycleResult) -> None:
        addresses = self._files.addresses
        if addresses is not None:
            cycle = replace(cycle, conditions=(*cycle.conditions, addresses.condition()))
        status = next_status(self.status, cycle, utc_now())
        if addresses is not None:
            status = with_former(status, addresses.record)
        policy = self._policy
        groups = tuple(view.status for view in self._floating.views())
        self.status = replace(
            status, keys=self._keys.ids, beat=policy.beat, limits=limits_of(policy), floating=groups
        )
        self._judge_groups(cycle)
        self._transitions.conditions(self.status.conditions)
        self._written_result = None
        if isinstance(cycle.store_error, NodeNameTakenError):
            return
        try:
            self._registration.report(self.status)
        except StoreError as error:
            trace(_log, Event.STATUS_FAILED, reason=reason_of(error))
            self._transitions.status_unwritten(error)
        else:
            self._transitions.status_unwritten(None)
            self._written_result = cycle.result

    def _has_condition(self, kind: str) -> bool:
        return any(condition.type == kind for condition in self.status.conditions)

    def _follow_groups(self, reading: ReadResult) -> None:
        if reading.snapshot is not None and not isinstance(reading.error, NodeNameTakenError):
            self._floating.follow(reading.snapshot.lunmap, reading.change)

    def group_views(self) -> tuple[GroupView, ...]:
        """Return the present state of each floating and takeover group that this node may own."""
        return self._floating.views()

    def _judge_groups(self, cycle: CycleResult) -> None:
        """Let the floating groups know how well this node serves their targets."""
        if not self._floating.views():
            # To find the groups of a map, all its Luns are visited.
            self._judgements = NOTHING_KNOWN
            return
        owned = self._floating.served(0)
        is_done = cycle.result is not None and cycle.result.converged
        disturbed = () if is_done else self._moves.disturbed(owned)
        judged = judge_groups(cycle.lunmap, self._registration.node, self.status, self._judgements, disturbed)
        self._judgements = judged
        self._floating.judge(judged)

    def _report_backings(self) -> None:
        """Report what is opened, after the status, which must not wait for it. Raises StoreError."""
        if self._written_result is None:
            return
        self._backings.update(self._written_result.observed)
        if self._registration.report_backings(self._backings):
            self.status = replace(self.status, backings=self._backings.digest)
            self._registration.report(self.status)

    def _save_seen(self) -> None:
        """Write the seen file, by which a restart recognises drift, and the daemon file."""
        self._state.baseline.save(self._files.seen)
        if self._files.seen is not None:
            self._transitions.seen_unwritten(self._files.seen.problem)
        if self._files.state is not None:
            self._files.state.write(self._daemon_state())

    def _daemon_state(self) -> DaemonState:
        """Return what `lunmapd plan` can't know without this daemon."""
        confirmations, addresses = self._follower.confirmations, self._files.addresses
        return DaemonState(
            process=this_process(self._registration.boot),
            policy=self._policy,
            has_map=self._follower.has_map,
            point=self._point,
            keys=self._keys.ids,
            first=confirmations.first,
            decided=tuple(sorted(confirmations.decided)),
            silent_since=self._contact.silent_since,
            met=self._contact.met,
            deferrals=tuple(starmap(Deferral, self._state.schedule.deferrals())),
            portals=self._checks.portal_problems(),
            unread=self._checks.read_problems(),
            drain=None if self._drain is None else self._drain.progress,
            served=self._served,
            emptied=() if addresses is None else tuple(starmap(Emptied, addresses.emptied.items())),
        )
