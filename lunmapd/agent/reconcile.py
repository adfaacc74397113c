"""One pass: observe, desire, plan, apply, observe again. Level-based: killed anywhere, the next pass converges."""

import logging
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from msgspec import Struct

from lunmapd.agent.claims import Claims
from lunmapd.core import guard, lio
from lunmapd.core.desire import Desire, desire
from lunmapd.core.errors import Exit, LunmapdError
from lunmapd.core.guard import Limits
from lunmapd.core.lunmap import Lunmap
from lunmapd.core.messages import Message, fields
from lunmapd.core.observed import Observed
from lunmapd.core.offer import Offer, offered, unchanged
from lunmapd.core.outcome import Failure, Report, failures
from lunmapd.core.plan import Plan, disruption, plan
from lunmapd.core.secrets import Vault

log = logging.getLogger(__name__)


class Kernel(Protocol):
    """The node's kernel, real or fake."""

    def observe(self, claims: AbstractSet[str]) -> Observed:
        """Look at all that is ours. Raises LunmapdError when the kernel can't be read."""

    def apply(self, plan: Plan) -> Iterator[Report]:
        """Do the steps in order, each reported when it is done or has failed."""


class RemovalHeldError(LunmapdError):
    """A pass would take away much at once, and nobody has confirmed it."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, held: guard.Held) -> None:
        self.held = held
        super().__init__(
            f"revision {revision} would {held}: nothing is changed; put the map right, or say that it is meant with 'lunmapctl confirm'"
        )


class Orders(Struct, frozen=True):
    """What a pass has to bring about.

    `confirmed` gives the map up to which removals are confirmed, None for none; `decided` is what an earlier pass was to
    take away and could not. `vault` opens the secrets.
    """

    node: str
    revision: int
    lunmap: Lunmap
    unreadable: Mapping[str, str]
    vault: Vault
    confirmed: Callable[[], Lunmap | None]
    decided: AbstractSet[lio.Key] = frozenset()
    limits: Limits = Limits()
    offer: Offer = Offer.ALL


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


def reconcile(kernel: Kernel, claims: Claims, orders: Orders) -> Result:
    """Make the kernel as the map says, as far as it can be.

    Raises RemovalHeldError when it would take away too much, then nothing was changed; another LunmapdError when the
    kernel can't be read or the claims not be written.
    """
    ours = claims.read()
    observed = kernel.observe(ours)
    want = _want(orders, observed)
    steps = plan(_offered(orders, want, observed), observed.objects)
    if not steps:
        return _result(orders, want, observed)
    _judge(kernel, orders, want, observed, steps)
    claims.write(ours | _claims(want))
    reports = tuple(_logged(report, orders.revision) for report in kernel.apply(steps))
    observed = kernel.observe(claims.read())
    want = _want(orders, observed)
    claims.write(_claims(want))
    return _result(orders, want, observed, reports)


def _offered(orders: Orders, want: Desire, observed: Observed) -> lio.Objects:
    return offered(want.objects, observed.objects, orders.offer)


def _result(orders: Orders, want: Desire, observed: Observed, reports: tuple[Report, ...] = ()) -> Result:
    objects = _offered(orders, want, observed)
    found = {**want.failures, **failures(reports)}
    left = plan(objects, observed.objects)
    return Result(observed, found, left, reports, len(want.objects) - len(objects))


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
        step, effect = report.step, disruption(report.step).name.lower()
        extra = fields(
            Message.CHANGED,
            revision=revision,
            object=lio.show_key(lio.key(step.item)),
            action=step.action,
            reason=step.reason,
            disruption=effect.replace("_", "-"),
        )
        log.info("%s (%s)", step, effect.replace("_", " "), extra=extra)
    return report
