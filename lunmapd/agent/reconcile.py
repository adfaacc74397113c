"""One pass: observe, desire, plan, apply, observe again. Level-based: killed anywhere, the next pass converges."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from msgspec import Struct

from lunmapd.agent.claims import Claims
from lunmapd.agent.memory import Memory
from lunmapd.agent.orders import Orders, RemovalHeldError
from lunmapd.core import guard, lio
from lunmapd.core.desire import Desire, desire
from lunmapd.core.impact import Ways
from lunmapd.core.messages import Message, fields
from lunmapd.core.observed import Observed
from lunmapd.core.offer import offered, unchanged
from lunmapd.core.outcome import Failure, Report, failures
from lunmapd.core.permit import Permitted, may_exceed, permit
from lunmapd.core.plan import Plan, disruption, plan
from lunmapd.core.view import Part

log = logging.getLogger(__name__)


class Kernel(Protocol):
    """The node's kernel, real or fake."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Look at all that is ours. Raises LunmapdError when the kernel can't be read."""

    def glance(self, items: Sequence[lio.Object]) -> lio.Objects | None:
        """Look at these objects only, given as they should be; None when only `observe` tells. Raises LunmapdError."""

    def apply(self, plan: Plan) -> Iterator[Report]:
        """Do the steps in order, each reported when it is done or has failed."""


class Result(Struct, frozen=True):
    """What one pass found and did. `left` is what it would still have to do: applied means seen.

    `withheld` counts the TPGs that the map wants enabled and the orders don't.
    """

    observed: Observed
    failures: Mapping[lio.Key, Failure]
    left: Plan
    done: tuple[Report, ...] = ()
    withheld: int = 0

    @property
    def converged(self) -> bool:
        """Whether the kernel was seen to be as the map says, with nothing failing."""
        return not self.left and not self.failures and not self.withheld


def reconcile(kernel: Kernel, claims: Claims, orders: Orders, memory: Memory) -> Result:
    """Make the kernel as the map says, as far as it can be; go by the change alone as long as `memory` allows it.

    Raises RemovalHeldError when it would take away too much, then nothing was changed; another LunmapdError when the
    kernel can't be read or the claims not be written.
    """
    part = memory.part(orders)
    result = None if part is None else _follow(kernel, orders, memory, part)
    return result or _reconcile_all(kernel, claims, orders, memory)


def _follow(kernel: Kernel, orders: Orders, memory: Memory, part: Part) -> Result | None:
    """Make one part of the kernel as the map says, all else being so; None when a whole pass must tell."""
    seen = _glance(kernel, part, memory.observed.objects, part.wanted)
    if seen is None:
        return None
    memory.see(part, seen)
    steps = plan(part.wanted, seen)
    reports: tuple[Report, ...] = ()
    if steps:
        if guard.check(steps, memory.observed.objects, orders.limits, lambda: None) is not None:
            return None
        if may_exceed(steps, orders.allow):
            # Who is logged in is known as of the last whole pass only.
            return None
        reports = tuple(_logged(report, orders.revision) for report in kernel.apply(steps))
        seen = _glance(kernel, part, part.wanted, seen)
        if seen is None or plan(part.wanted, seen):
            return None
        memory.see(part, seen)
    memory.settle()
    return Result(memory.observed, {}, (), reports)


def _glance(kernel: Kernel, part: Part, likely: lio.Objects, otherwise: lio.Objects) -> lio.Objects | None:
    """Look at the objects of a part, which are as `likely` has them, or else may be as `otherwise`."""
    items = [likely.get(name) or otherwise.get(name) for name in part.keys]
    found = [item for item in items if item is not None]
    return kernel.glance(found) if found else {}


def _reconcile_all(kernel: Kernel, claims: Claims, orders: Orders, memory: Memory) -> Result:
    ours = claims.read()
    observed = kernel.observe(ours)
    want = _want(orders, observed)
    steps = plan(_offered(orders, want, observed), observed.objects)
    reports: tuple[Report, ...] = ()
    permitted = _permitted(kernel, orders, want, observed, steps)
    steps = permitted.steps
    if steps:
        claims.write(ours | _claims(want))
        reports = tuple(_logged(report, orders.revision) for report in kernel.apply(steps))
        observed = kernel.observe(claims.read())
        want = _want(orders, observed)
        claims.write(_claims(want))
    result = _result(orders, want, observed, reports, permitted.held)
    if result.converged:
        memory.learn(orders, want, observed)
    return result


def _offered(orders: Orders, want: Desire, observed: Observed) -> lio.Objects:
    return offered(want.objects, observed.objects, orders.offer)


def _result(
    orders: Orders,
    want: Desire,
    observed: Observed,
    reports: tuple[Report, ...],
    held: Mapping[lio.Key, Failure],
) -> Result:
    objects = _offered(orders, want, observed)
    found = {**want.failures, **held, **failures(reports)}
    left = plan(objects, observed.objects)
    return Result(observed, found, left, reports, len(want.objects) - len(objects))


def _permitted(kernel: Kernel, orders: Orders, want: Desire, observed: Observed, steps: Plan) -> Permitted:
    """Say which of the steps may be done. Raises RemovalHeldError."""
    if not steps:
        return Permitted(())
    _judge(kernel, orders, want, observed, steps)
    ways = Ways(orders.lunmap, orders.node, want.objects, orders.logins)
    return permit(steps, observed, ways, orders.allow)


def _judge(kernel: Kernel, orders: Orders, want: Desire, observed: Observed, steps: Plan) -> None:
    """Raise RemovalHeldError for steps that take away too much; then only what is offered is changed, as ordered."""

    def confirmed() -> lio.Objects | None:
        lunmap = orders.confirmed()
        return None if lunmap is None else desire(lunmap, {}, orders.node, observed, orders.vault).objects

    held = guard.check(steps, observed.objects, orders.limits, confirmed, orders.decided)
    if held is None:
        return
    still = unchanged(want.objects, observed.objects, orders.offer)
    for report in kernel.apply(plan(still, observed.objects)):
        _logged(report, orders.revision)
    raise RemovalHeldError(orders.revision, held)


def _want(orders: Orders, observed: Observed) -> Desire:
    return desire(orders.lunmap, orders.unreadable, orders.node, observed, orders.vault)


def _claims(want: Desire) -> frozenset[str]:
    targets = frozenset(item.iqn for item in want.objects.values() if isinstance(item, lio.Target))
    return targets | {lio.DISCOVERY_CLAIM} if lio.DISCOVERY_AUTH in want.objects else targets


def _logged(report: Report, revision: int) -> Report:
    """Log one line for each change that was made; failures stay, so the loop says them once."""
    if report.failure is None:
        step, effect = report.step, disruption(report.step).word
        extra = fields(
            Message.CHANGED,
            revision=revision,
            object=lio.show_key(lio.key(step.item)),
            action=step.action,
            reason=step.reason,
            disruption=effect,
        )
        log.info("%s (%s)", step, effect.replace("-", " "), extra=extra)
    return report
