"""Observing LIO without the index of its numbers."""

from collections.abc import Set as AbstractSet
from pathlib import Path

from lunmapd.core.node.observed import Observed
from lunmapd.lio.observe.observe import observe_lio


def observe(root: Path, claims: AbstractSet[str]) -> Observed:
    """Return what `observe_lio` observes below `root`."""
    return observe_lio(root, claims).observed
