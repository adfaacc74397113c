"""The conditions for using the local snapshot as the map, and their messages."""

import pytest

from lunmapd.agent.loop.snapshot_fallback import assess_snapshot
from lunmapd.agent.state.map_snapshot import KeptSnapshot
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.store.tree.snapshot import Snapshot

SEEN = 1_800_000_000
KEPT = KeptSnapshot(Snapshot("c", 12, "d", "d", 1, Lunmap()), SEEN)


@pytest.mark.parametrize(
    ("limit", "age", "reason"),
    [
        (100, 0, "FromSnapshot"),
        (100, 100, "FromSnapshot"),
        (100, 101, "SnapshotTooOld"),
        (100, -5000, "FromSnapshot"),
        (0, 0, "SnapshotTooOld"),
        (0, -1, "SnapshotTooOld"),
    ],
)
def test_the_age_decides(limit: float, age: float, reason: str) -> None:
    """A snapshot may be used up to the limit, never with limit 0, and one from the future counts as new."""
    assert assess_snapshot(KEPT, limit, SEEN + age).reason == reason


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (7, "at 2027-01-15T08:00:00Z, 7 seconds ago"),
        (600, "10.0 minutes ago"),
        (9000, "2.5 hours ago"),
        (400_000, "4.6 days ago"),
        (-1, "which is yet to come: the clock was set back"),
    ],
)
def test_the_age_is_said(age: float, words: str) -> None:
    """An admin reads which revision it is, and how old."""
    text = assess_snapshot(KEPT, 1e9, SEEN + age).message
    assert "revision 12 of the local snapshot" in text
    assert words in text


def test_without_a_snapshot_nothing_may_be_followed() -> None:
    """Without a snapshot nothing is used, and the condition reports it."""
    assert assess_snapshot(None, 100, SEEN).reason == "NoSnapshot"
