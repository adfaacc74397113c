"""Creations without a claim on the disk."""

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.planning.plan import plan
from lunmapd.core.planning.unclaimed import claims_of, withhold_unclaimed

T = "iqn.2026-01.org.example:t"
WANTED = {
    lio_objects.key_of(item): item
    for item in (
        lio_objects.DiscoveryAuth(lio_objects.NO_CREDENTIALS),
        lio_objects.Target(T),
        lio_objects.Tpg(T, 1),
        lio_objects.Target(f"{T}2"),
    )
}
FULL = Failure(Reason.CLAIMS_UNWRITABLE, "full")


def test_targets_and_discovery_are_claimed() -> None:
    """What gets a mark only after its creation, or none, needs a claim."""
    assert claims_of(WANTED.values()) == {T, f"{T}2", "discovery_auth"}


def test_only_unclaimed_creations_are_withheld() -> None:
    """With what depends on them; removals and changes need no claim."""
    kept = withhold_unclaimed(plan(WANTED, {}), {T}, FULL)
    assert {lio_objects.key_of(step.item) for step in kept.steps} == {("target", T), ("tpg", T, 1)}
    assert kept.held == {("target", f"{T}2"): FULL, lio_objects.DISCOVERY_AUTH: FULL}
    gone = plan({}, WANTED)
    assert withhold_unclaimed(gone, set(), FULL).steps == gone
