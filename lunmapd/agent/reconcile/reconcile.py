"""One reconcile pass: observe, decide, apply, observe again.

A pass depends on no event: wherever the process is killed, the next pass converges.
"""

import logging
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from lunmapd.agent.reconcile.addresses import AddressKeeper
from lunmapd.agent.reconcile.drain import DrainWatch
from lunmapd.agent.reconcile.moves import MoveWatch
from lunmapd.agent.reconcile.pass_state import Partial, PassState
from lunmapd.agent.reconcile.result import PassResult, RemovalHeldError
from lunmapd.agent.reconcile.transition_log import log_ended, log_outcome, log_restored
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.seen_file import SeenFile, ValidityKey
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.events import Event
from lunmapd.core.map.addresses import LunAddress
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_failures import find_backing_failures
from lunmapd.core.node.desired_delta import Delta
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import AclLuns, HostCommands, Observed
from lunmapd.core.planning import guard
from lunmapd.core.planning.decide import (
    Comparison,
    Decision,
    PassInput,
    asks_for_logins,
    compare,
    compare_part,
    decide,
)
from lunmapd.core.planning.disruption_limit import may_exceed
from lunmapd.core.planning.impact import Logins
from lunmapd.core.planning.moving import replacing_steps
from lunmapd.core.planning.other_data import hold_other_data, replaces_other_data
from lunmapd.core.planning.outcome import StepOutcome, failures_of
from lunmapd.core.planning.plan import Plan, objects_after, plan
from lunmapd.core.planning.reservations import find_unrestored, keep_reservations, makes_recorded
from lunmapd.core.planning.unclaimed import claims_of, withhold_unclaimed
from lunmapd.core.planning.withhold import created_keys
from lunmapd.trace import trace

_log = logging.getLogger(__name__)


class LioKernel(Protocol):
    """The node's kernel, real or fake."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Observe all objects of lunmapd. Raises LunmapdError when the kernel can't be read."""

    def observe_some(self, items: Sequence[lio_objects.Object]) -> Observed | None:
        """Observe these objects and their backings only, given as they should be; None if only `observe` can.

        Raises LunmapdError.
        """

    def count_commands(self, acls: Sequence[AclLuns]) -> tuple[HostCommands, ...]:
        """Count the commands that initiators have sent to some mapped LUNs; () when they can't be counted.

        Raises LunmapdError.
        """

    def apply(self, plan: Plan) -> Iterator[StepOutcome]:
        """Execute the steps in order; yield each when it is done or has failed."""


class FleetLogins(Protocol):
    """The other nodes."""

    def logins(self) -> Logins:
        """Read which initiators are logged in at each node that is alive and healthy.

        {} when that can't be read.
        """


class PassPorts(NamedTuple):
    """What a pass reads and writes.

    Without a `fleet`, as while ZooKeeper does not answer, no initiator counts as logged in at another node.
    Without a `seen` file, a restart of the daemon can't distinguish drift from steps that were still to be
    done. Without `addresses`, LUN numbers are given to other Luns at any time.
    Without a `drain`, a drained node disables its TPGs at once. `moves` takes the groups whose hosts a full
    pass would disturb; the `served` ones of the input come from it.
    """

    kernel: LioKernel
    claims: Claims
    fleet: FleetLogins | None = None
    seen: SeenFile | None = None
    addresses: AddressKeeper | None = None
    drain: DrainWatch | None = None
    moves: MoveWatch | None = None


def reconcile(
    edges: PassPorts, given: PassInput, state: PassState, terms: ValidityKey | None = None
) -> PassResult:
    """Bring the kernel to what the map asks for: a partial pass if `state` allows one, else a full one.

    `terms` are the validity key of the seen file that this pass leaves. Raises RemovalHeldError for a
    mass removal that is not confirmed, and another LunmapdError when the kernel can't be read; then nothing
    was changed, except that isolation or a drain disabled TPGs, or the end of isolation enabled them, and
    access was closed.
    """
    partial = state.start(given)
    result = partial if isinstance(partial, FullPass) else _reconcile_part(edges, given, state, partial)
    if isinstance(result, FullPass):
        trace(_log, Event.FULL_RECONCILE, revision=given.revision, reason=result)
        result = _reconcile_all(edges, given, state, terms)
    state.baseline.valid_for = terms
    return result


def _reconcile_part(
    edges: PassPorts, given: PassInput, state: PassState, partial: Partial
) -> PassResult | FullPass:
    """Reconcile the objects of a part; the others are unchanged. Or return why a full pass is needed."""
    origin, part = partial
    trace(_log, Event.PARTIAL_RECONCILE, revision=given.revision, count=len(part.keys), luns=len(part.luns))
    kernel = edges.kernel
    seen = _observe_some(kernel, part, origin.objects, part.desired)
    if seen is None:
        return FullPass.NOT_OBSERVED
    origin.record(part, seen)
    given = _with_addresses(edges, given, is_full=False)
    comparison = compare_part(given, part, seen.objects, state.baseline.current, origin.objects)
    if replaces_other_data(comparison.steps, part.desired, seen.objects, given.addresses):
        return FullPass.OTHER_DATA
    decision = _decide(edges, given, state, comparison)
    obstacle = _obstacle(given, decision)
    if obstacle is None and makes_recorded(decision.steps, origin.observed.reservations.records):
        obstacle = FullPass.RESERVATIONS
    if obstacle is not None:
        return obstacle
    reports: tuple[StepOutcome, ...] = ()
    if decision.steps:
        reports = _execute(edges, given, state, decision, comparison)
        log_ended(origin.observed, reports)
        state.schedule.backoff.tried(reports)
        seen = _observe_some(kernel, part, part.desired, seen.objects)
        if seen is None or plan(part.desired, seen.objects):
            return FullPass.NOT_CONVERGED
        origin.record(part, seen)
    if find_backing_failures(part.lunmap, part.desired, seen):
        return FullPass.UNFIT_BACKING
    return state.finish_partial(partial, reports)


def _obstacle(given: PassInput, decision: Decision) -> FullPass | None:
    """Return why a decision for some objects must be left to a full pass, None if it can be executed."""
    if decision.blocked is not None:
        return FullPass.REMOVALS
    if decision.held:
        return FullPass.DRIFT
    if given.served and next(replacing_steps(decision.steps), None) is not None:
        return FullPass.DISRUPTION
    # Who is logged in is known as of the last full pass only.
    return FullPass.DISRUPTION if may_exceed(decision.steps, given.allow) else None


def _observe_some(
    kernel: LioKernel, part: Delta, likely: lio_objects.Objects, otherwise: lio_objects.Objects
) -> Observed | None:
    """Observe the objects of a part, which are as in `likely`, or else may be as in `otherwise`."""
    items = [likely.get(key) or otherwise.get(key) for key in part.keys]
    expected = [item for item in items if item is not None]
    return kernel.observe_some(expected) if expected else Observed()


def _reconcile_all(
    edges: PassPorts, given: PassInput, state: PassState, terms: ValidityKey | None
) -> PassResult:
    kernel, claims = edges.kernel, edges.claims
    claimed = claims.load()
    comparison = _compare(edges, given, kernel.observe(claimed))
    given = _with_busy(edges, _with_addresses(edges, given, is_full=True), comparison)
    state.baseline.load(edges.seen, terms, comparison.desire)
    given = replace(given, offered=state.baseline.offered or {})
    decision = _decide(edges, given, state, comparison)
    if edges.moves is not None:
        edges.moves.follow(decision.disturbed)
    if decision.blocked is not None:
        outcomes = _execute(edges, given, state, decision, comparison)
        done = (outcome.step for outcome in outcomes if outcome.failure is None)
        observed = comparison.observed
        observed = replace(observed, objects=objects_after(observed.objects, done))
        error = RemovalHeldError(given.revision, decision.blocked, observed, outcomes)
        state.finish_held(error)
        raise error
    if state.baseline.follow(comparison.desire):
        # After a crash the next daemon must not take a drain for isolation.
        state.baseline.save(edges.seen)
    reports: tuple[StepOutcome, ...] = ()
    if decision.steps:
        decision = _record_claims(claims, claimed, comparison, decision)
        decision = _record_attempts(edges, given, comparison, decision)
        reports = _execute(edges, given, state, decision, comparison)
        state.schedule.backoff.tried(reports)
        before, comparison = comparison.observed, _compare(edges, given, kernel.observe(claims.load()))
        log_ended(before, reports)
        log_restored(before, comparison.observed)
    claims.save(claims_of(comparison.desire.objects.values()) | _still_claimed(claimed, comparison))
    result = _result(comparison, decision, reports, _pauses(edges, given, decision))
    state.finish_full(given, comparison, result)
    return result


def _compare(edges: PassPorts, given: PassInput, observed: Observed) -> Comparison:
    """Compare a full observation, and record what it shows of LUN addresses."""
    comparison = compare(given, observed)
    if edges.addresses is not None:
        edges.addresses.observe(observed)
        edges.addresses.confirm(comparison.lunmap, observed.objects)
    return comparison


def _with_addresses(edges: PassPorts, given: PassInput, *, is_full: bool) -> PassInput:
    if edges.addresses is None:
        return given
    return replace(given, addresses=edges.addresses.rules(given.addresses.reuse, is_full=is_full))


def _with_busy(edges: PassPorts, given: PassInput, comparison: Comparison) -> PassInput:
    if edges.drain is None:
        return given
    return replace(given, busy=edges.drain.busy(given, comparison, edges.kernel.count_commands))


def _record_claims(
    claims: Claims, claimed: AbstractSet[str], comparison: Comparison, decision: Decision
) -> Decision:
    """Record the claims of the objects to be created, and take these creations out if that fails."""
    if claims.save(claimed | claims_of(comparison.desire.objects.values())) or claims.problem is None:
        return decision
    failure = Failure(claims.problem.reason, str(claims.problem))
    kept = withhold_unclaimed(decision.steps, claims.recorded, failure)
    return replace(decision, steps=kept.steps, held={**kept.held, **decision.held})


def _still_claimed(claimed: AbstractSet[str], comparison: Comparison) -> AbstractSet[str]:
    """Return the claims of what the map no longer asks for and a withheld step has not removed yet."""
    return claimed & claims_of(comparison.observed.objects.values())


def _record_attempts(
    edges: PassPorts, given: PassInput, comparison: Comparison, decision: Decision
) -> Decision:
    """Record the creations at addresses of other Luns, and take them out if that fails."""
    wanted, steps = comparison.desire.objects, decision.steps
    if edges.addresses is None or edges.addresses.attempt(steps, wanted, given.addresses, given.revision):
        return decision
    kept = hold_other_data(steps, wanted, replace(given.addresses, can_record=False))
    return replace(decision, steps=kept.steps, held={**kept.held, **decision.held})


def _pauses(edges: PassPorts, given: PassInput, decision: Decision) -> tuple[float, float]:
    """Return `empty` and `draining` of the result, in seconds."""
    draining = edges.drain.seconds_left() if edges.drain is not None and given.busy else float("inf")
    moving = edges.moves.seconds_left() if edges.moves is not None and decision.disturbed else float("inf")
    return _seconds_empty(edges, decision), min(draining, moving)


def _seconds_empty(edges: PassPorts, decision: Decision) -> float:
    """Return the seconds until the first creation that waits for its LUN number to be empty can be made."""
    addresses = (LunAddress(str(key[1]), str(key[3]), int(key[4])) for key in decision.emptying)
    left = (0.0 if edges.addresses is None else edges.addresses.seconds_left(each) for each in addresses)
    return min(left, default=float("inf"))


def _decide(edges: PassPorts, given: PassInput, state: PassState, comparison: Comparison) -> Decision:
    logins = edges.fleet.logins() if edges.fleet is not None and asks_for_logins(comparison) else {}
    return decide(given, comparison, state.baseline.current, state.schedule.backoff.deferred(), logins)


def _execute(
    edges: PassPorts, given: PassInput, state: PassState, decision: Decision, comparison: Comparison
) -> tuple[StepOutcome, ...]:
    steps, revision = decision.steps, given.revision
    state.baseline.begin(steps)
    if created_keys(steps) & guard.removed_keys(steps):
        # After a crash the next daemon must not take an object that was removed to be made again for drift.
        state.baseline.save(edges.seen)
    keeping = keep_reservations(steps, comparison.desired, comparison.observed)
    outcomes = edges.kernel.apply(keeping)
    return tuple(log_outcome(outcome, revision, decision.disruptions) for outcome in outcomes)


def _result(
    comparison: Comparison, decision: Decision, reports: tuple[StepOutcome, ...], pauses: tuple[float, float]
) -> PassResult:
    left = comparison.steps
    failing = {**comparison.desire.failures, **decision.held, **failures_of(reports)}
    decided = decision.removals & guard.removed_keys(left)
    unrestored = find_unrestored(comparison.desired, comparison.observed)
    disabled = len(comparison.kept_disabled)
    return PassResult(comparison.observed, failing, left, reports, disabled, decided, unrestored, *pauses)
