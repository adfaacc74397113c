"""One pass: observe, desire, plan, apply, observe again. Level-based: killed anywhere, the next pass converges."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.reconcile.incremental import Memory
from lunmapd.agent.reconcile.orders import Orders, RemovalHeldError
from lunmapd.agent.reconcile.result import Result
from lunmapd.agent.reconcile.transition_log import logged
from lunmapd.agent.state.claims import Claims
from lunmapd.core.base.events import Event, FullPass
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired, compute_desired
from lunmapd.core.node.desired_delta import Delta
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import accept_edits
from lunmapd.core.planning import drift, guard
from lunmapd.core.planning.disruption_limit import may_exceed, permit
from lunmapd.core.planning.drift import Known
from lunmapd.core.planning.enablement import offered, unchanged
from lunmapd.core.planning.impact import Felt, Ways, felt
from lunmapd.core.planning.outcome import Report, failures
from lunmapd.core.planning.plan import Plan, plan
from lunmapd.core.planning.withhold import created, sift
from lunmapd.trace import trace

log = logging.getLogger(__name__)


class Kernel(Protocol):
    """The node's kernel, real or fake."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Look at all that is ours. Raises LunmapdError when the kernel can't be read."""

    def observe_some(self, items: Sequence[lio_objects.Object]) -> lio_objects.Objects | None:
        """Look at these objects only, given as they should be; None when only `observe` tells. Raises LunmapdError."""

    def apply(self, plan: Plan) -> Iterator[Report]:
        """Do the steps in order, each reported when it is done or has failed."""


def reconcile(kernel: Kernel, claims: Claims, orders: Orders, memory: Memory) -> Result:
    """Make the kernel as the map says, as far as it can be; go by the change alone as long as `memory` allows it.

    Raises RemovalHeldError when it would take away too much, then nothing was changed; another LunmapdError when the
    kernel can't be read or the claims not be written.
    """
    part = memory.part(orders)
    result = part if isinstance(part, FullPass) else _follow(kernel, orders, memory, part)
    if isinstance(result, FullPass):
        trace(log, Event.FULL_RECONCILE, revision=orders.revision, reason=result)
        return _reconcile_all(kernel, claims, orders, memory)
    return result


def _follow(kernel: Kernel, orders: Orders, memory: Memory, part: Delta) -> Result | FullPass:
    """Make one part of the kernel as the map says, all else being as it was; or return why a full pass must do it."""
    trace(log, Event.PARTIAL_RECONCILE, revision=orders.revision, count=len(part.keys), luns=len(part.luns))
    seen = _observe_some(kernel, part, memory.observed.objects, part.desired)
    if seen is None:
        return FullPass.NOT_OBSERVED
    memory.see(part, seen)
    chosen = drift.judge(plan(part.desired, seen), part.desired, seen, memory.known, orders.report)
    if chosen.held:
        return FullPass.DRIFT
    steps = chosen.steps
    reports: tuple[Report, ...] = ()
    if steps:
        if guard.check(steps, memory.observed.objects, orders.limits, lambda: None) is not None:
            return FullPass.REMOVALS
        if may_exceed(steps, orders.allow):
            # Who is logged in is known as of the last whole pass only.
            return FullPass.DISRUPTION
        memory.begin(steps)
        noticed = felt(steps, Observed(seen), _ways_around(part, steps, orders, memory.known), looked=False)
        reports = _apply(kernel, orders, steps, noticed)
        memory.backoff.tried(reports)
        seen = _observe_some(kernel, part, part.desired, seen)
        if seen is None or plan(part.desired, seen):
            return FullPass.NOT_CONVERGED
        memory.see(part, seen)
    return memory.settle(reports)


def _ways_around(part: Delta, steps: Plan, orders: Orders, known: Known | None) -> Ways:
    """Return what leads to the Luns of a part: of what is wanted besides only whether the TPGs of a LUN 0 are, which no part changes."""
    before = {} if known is None else known.wanted
    closing = (lio_objects.answering_tpg(step.item) for step in steps)
    beside = {name: before[name] for name in closing if name is not None and name in before}
    # A part is followed only where no edit is refused, so the map is the one to go by.
    return _ways(orders.lunmap, orders, {**part.desired, **beside})


def _ways(lunmap: Lunmap, orders: Orders, wanted: lio_objects.Objects) -> Ways:
    return Ways(lunmap, orders.node, wanted, orders.logins)


def _apply(kernel: Kernel, orders: Orders, steps: Plan, noticed: Felt) -> tuple[Report, ...]:
    return tuple(logged(report, orders.revision, noticed) for report in kernel.apply(steps))


def _observe_some(
    kernel: Kernel, part: Delta, likely: lio_objects.Objects, otherwise: lio_objects.Objects
) -> lio_objects.Objects | None:
    """Look at the objects of a part, which are as `likely` has them, or else may be as `otherwise`."""
    items = [likely.get(name) or otherwise.get(name) for name in part.keys]
    found = [item for item in items if item is not None]
    return kernel.observe_some(found) if found else {}


class Look(Struct, frozen=True):
    """What a look at all of LIO found, the map to go by, what it wants of this node then, what of it the orders let it have, and what leads there."""

    observed: Observed
    lunmap: Lunmap
    want: Desired
    desired: lio_objects.Objects
    steps: Plan


def _look(kernel: Kernel, claims: AbstractSet[str], orders: Orders) -> Look:
    observed = kernel.observe(claims)
    judged = accept_edits(orders.lunmap, orders.edited)
    want = compute_desired(judged.lunmap, orders.unreadable, orders.node, observed, orders.vault)
    want = replace(want, failures={**want.failures, **judged.failures})
    desired = offered(want.objects, observed.objects, orders.offer)
    return Look(observed, judged.lunmap, want, desired, plan(desired, observed.objects))


def _felt(orders: Orders, look: Look, steps: Plan) -> Felt:
    return felt(steps, look.observed, _ways(look.lunmap, orders, look.want.objects), looked=True)


def _reconcile_all(kernel: Kernel, claims: Claims, orders: Orders, memory: Memory) -> Result:
    ours = claims.read()
    look = _look(kernel, ours, orders)
    memory.recall(orders, look.want)
    chosen = _choose(kernel, orders, memory, look)
    reports: tuple[Report, ...] = ()
    if chosen.steps:
        claims.write(ours | _claims(look.want))
        memory.begin(chosen.steps)
        if created(chosen.steps) & guard.removals(chosen.steps):
            orders.keep()
        reports = _apply(kernel, orders, chosen.steps, _felt(orders, look, chosen.steps))
        memory.backoff.tried(reports)
        look = _look(kernel, claims.read(), orders)
        claims.write(_claims(look.want))
    result = _result(look, chosen, reports)
    memory.learn(orders, look.want, look.desired, result)
    return result


class Chosen(Struct, frozen=True):
    """The steps to do, why others are not done, and the removals that the guard let pass."""

    steps: Plan = ()
    held: Mapping[lio_objects.Key, Failure] = {}
    removals: AbstractSet[lio_objects.Key] = frozenset()


def _result(look: Look, chosen: Chosen, reports: tuple[Report, ...]) -> Result:
    left = look.steps
    found = {**look.want.failures, **chosen.held, **failures(reports)}
    withheld = len(look.want.objects) - len(look.desired)
    return Result(look.observed, found, left, reports, withheld, chosen.removals & guard.removals(left))


def _choose(kernel: Kernel, orders: Orders, memory: Memory, look: Look) -> Chosen:
    """Say which of the steps may be done now. Raises RemovalHeldError."""
    steps = look.steps
    if not steps:
        return Chosen()
    observed = look.observed
    wanted = drift.judge(steps, look.desired, observed.objects, memory.known, orders.report)
    _guard(kernel, orders, memory, look, wanted.steps)
    due = sift(wanted.steps, memory.backoff.refused(wanted.steps))
    permitted = permit(due.steps, observed, _ways(look.lunmap, orders, look.want.objects), orders.allow)
    held = {**permitted.held, **due.held, **wanted.held}
    return Chosen(permitted.steps, held, guard.removals(wanted.steps))


def _guard(kernel: Kernel, orders: Orders, memory: Memory, look: Look, steps: Plan) -> None:
    """Raise RemovalHeldError for steps that take away too much; then only what is offered is changed, as ordered."""
    observed = look.observed

    def confirmed() -> lio_objects.Objects | None:
        lunmap = orders.confirmed()
        return (
            None
            if lunmap is None
            else compute_desired(lunmap, {}, orders.node, observed, orders.vault).objects
        )

    held = guard.check(steps, observed.objects, orders.limits, confirmed, orders.decided)
    if held is None:
        return
    error = RemovalHeldError(orders.revision, held)
    still = unchanged(look.want.objects, observed.objects, orders.offer)
    chosen = drift.judge(plan(still, observed.objects), still, observed.objects, memory.known, orders.report)
    memory.begin(chosen.steps)
    _apply(kernel, orders, chosen.steps, _felt(orders, look, chosen.steps))
    memory.held(error)
    raise error


def _claims(want: Desired) -> frozenset[str]:
    targets = frozenset(item.iqn for item in want.objects.values() if isinstance(item, lio_objects.Target))
    return targets | {lio_objects.DISCOVERY_CLAIM} if lio_objects.DISCOVERY_AUTH in want.objects else targets
