"""One pass: observe, desire, plan, apply, observe again. Level-based: killed anywhere, the next pass converges."""

import logging
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Protocol

from msgspec import Struct

from lunmapd.agent.claims import Claims
from lunmapd.core import lio
from lunmapd.core.desire import Desire, desire
from lunmapd.core.lunmap import Lunmap
from lunmapd.core.observed import Observed
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


class Result(Struct, frozen=True):
    """What one pass found and did. `left` is what it would still have to do: applied means seen."""

    observed: Observed
    failures: Mapping[lio.Key, Failure]
    left: Plan
    done: tuple[Report, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the kernel was seen to be as desired, with nothing failing."""
        return not self.left and not self.failures


class Orders(Struct, frozen=True):
    """What a pass has to bring about on `node`; `unreadable` as for desire(), `vault` opens the secrets."""

    node: str
    lunmap: Lunmap
    unreadable: Mapping[str, str]
    vault: Vault


def reconcile(kernel: Kernel, claims: Claims, orders: Orders) -> Result:
    """Make the kernel as the map says, as far as it can be. Raises LunmapdError when it can't be read, or the claims not written."""
    ours = claims.read()
    observed = kernel.observe(ours)
    want = _want(orders, observed)
    steps = plan(want.objects, observed.objects)
    if not steps:
        return Result(observed, want.failures, ())
    claims.write(ours | _claims(want))
    reports = tuple(_logged(report) for report in kernel.apply(steps))
    observed = kernel.observe(claims.read())
    want = _want(orders, observed)
    claims.write(_claims(want))
    found = {**want.failures, **failures(reports)}
    return Result(observed, found, plan(want.objects, observed.objects), reports)


def _want(orders: Orders, observed: Observed) -> Desire:
    return desire(orders.lunmap, orders.unreadable, orders.node, observed, orders.vault)


def _claims(want: Desire) -> frozenset[str]:
    targets = frozenset(item.iqn for item in want.objects.values() if isinstance(item, lio.Target))
    return targets | {lio.DISCOVERY_CLAIM} if lio.DISCOVERY_AUTH in want.objects else targets


def _logged(report: Report) -> Report:
    """Log one line for each change that was made; failures stay, so the loop says them once."""
    if report.failure is None:
        log.info("%s (%s)", report.step, disruption(report.step).name.lower().replace("_", " "))
    return report
