"""Targets that can't be claimed are not created; all other steps are executed. Pure.

A target has lunmapd's mark only some system calls after its directory was made. A claim on the node's disk
shows that a half-made one is lunmapd's. So without a claim, a crash would leave a directory that nobody owns.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import Action, Plan
from lunmapd.core.planning.withhold import Permitted, withhold_steps


def claim_of(item: lio_objects.Object) -> str | None:
    """Return the claim that must be on the disk before an object is created, None if it needs none."""
    if isinstance(item, lio_objects.Target):
        return item.iqn
    return lio_objects.DISCOVERY_CLAIM if isinstance(item, lio_objects.DiscoveryAuth) else None


def claims_of(items: Iterable[lio_objects.Object]) -> frozenset[str]:
    """Return the claims of objects."""
    return frozenset(claim for claim in map(claim_of, items) if claim is not None)


def withhold_unclaimed(steps: Plan, recorded: AbstractSet[str], failure: Failure) -> Permitted:
    """Return the plan without the creations that need a claim which is not among the `recorded` ones."""
    claims = {
        lio_objects.key_of(step.item): claim_of(step.item) for step in steps if step.action is Action.CREATE
    }
    unclaimed = {key for key, claim in claims.items() if claim is not None and claim not in recorded}
    return withhold_steps(steps, {(Action.CREATE, key): failure for key in unclaimed})
