"""How far a node is behind."""

import pytest
from msgspec.structs import replace

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.lag import (
    Lag,
    RecentHistory,
    UnappliedRevision,
    changed_since,
    compute_lag,
    is_in_history,
    unapplied_revision,
)
from lunmapd.core.fleet.status import (
    STORE,
    UNEDITED,
    Condition,
    ConditionUpdate,
    HistoryPoint,
    NodeStatus,
    false_condition,
    true_condition,
)
from lunmapd.core.history.changes import Change, Revision

RECENT = RecentHistory(
    "c",
    9,
    "d",
    {
        5: UnappliedRevision("05:00", {"luns/a"}),
        6: UnappliedRevision("06:00", {"luns/b"}, 1),
        7: UnappliedRevision("07:00", {"luns/b", "luns/c"}, 2),
        8: UnappliedRevision("08:00", {"targets/t"}),
        9: UnappliedRevision("09:00", {"luns/d"}),
    },
)


def at(revision: int, cluster: str = "c", digest: str = "d") -> HistoryPoint:
    """Return a point of the history."""
    return HistoryPoint(cluster, revision, digest)


def status(applied: HistoryPoint | None, *verdicts: ConditionUpdate) -> NodeStatus:
    """Return the status of a node that has applied this."""
    conditions = tuple(Condition(v.type, v.status, v.reason, v.message, "") for v in verdicts)
    return NodeStatus("boot", "1", "", applied, applied, conditions)


@pytest.mark.parametrize(
    ("applied", "behind"),
    [
        (at(9), Lag(0)),
        (at(8), Lag(1, "09:00")),
        (at(4), Lag(5, "05:00")),
        (at(2), Lag(7)),
        (at(10), None),
        (at(9, "other"), None),
        (at(9, digest="other"), None),
        (at(8, digest="other"), Lag(1, "09:00")),
        (None, None),
    ],
)
def test_a_node_is_behind_since_the_first_revision_that_it_lacks(
    applied: HistoryPoint | None, behind: Lag | None
) -> None:
    """The lag counts revisions, and starts when the oldest was made, if known; another history has no lag."""
    assert compute_lag(status(applied), RECENT) == behind


def test_a_commit_in_parts_could_be_followed_when_its_last_part_was_made() -> None:
    """A commit in parts counts from its last part, which the parts' numbers tell.

    Nodes don't see the others.
    """
    assert compute_lag(status(at(5)), RECENT) == Lag(4, "07:00")
    alone = replace(RECENT, missed={6: RECENT.missed[6]})
    assert compute_lag(status(at(5)), alone) == Lag(4, "06:00")
    again = replace(RECENT, missed={**RECENT.missed, 7: UnappliedRevision("07:00", frozenset(), 1)})
    assert compute_lag(status(at(5)), again) == Lag(4, "06:00")


def test_what_changed_since_is_told_if_no_revision_is_missing() -> None:
    """With a missing revision the changed objects are unknown."""
    assert changed_since(9, RECENT) == set()
    assert changed_since(6, RECENT) == {"luns/b", "luns/c", "targets/t", "luns/d"}
    assert changed_since(3, RECENT) is None


def test_a_point_is_within_a_history_up_to_its_newest_revision() -> None:
    """A newer revision, another one of the newest number, or another cluster's, is not."""
    points = (at(9), at(10), at(9, digest="x"), at(1, "x"))
    assert [is_in_history(status(point), point, RECENT) for point in points] == [True, False, False, False]


@pytest.mark.parametrize("reason", [Reason.FOREIGN_CLUSTER, Reason.WENT_BACK, Reason.RESTORED])
def test_a_node_that_refuses_the_tree_has_applied_nothing_of_it(reason: Reason) -> None:
    """Its number is ignored; a node that only failed to read the tree keeps its revision."""
    assert compute_lag(status(at(8), false_condition(STORE, reason, "")), RECENT) is None
    assert compute_lag(status(at(8), false_condition(STORE, Reason.UNREACHABLE, "")), RECENT) == Lag(
        1, "09:00"
    )


def test_who_has_said_nothing_has_no_lag() -> None:
    """Nothing is known of it."""
    assert compute_lag(None, RECENT) is None


def test_a_node_that_saw_edits_is_told_by_the_number() -> None:
    """An edit that it read gives a digest of no revision; without edits the digest must be the revision's."""
    edited, clean = (
        false_condition(UNEDITED, Reason.EDITED_AROUND, ""),
        true_condition(UNEDITED, Reason.AS_COMMITTED, ""),
    )
    assert compute_lag(status(at(9, digest="x"), edited), RECENT) == Lag(0)
    assert compute_lag(status(at(10, digest="x"), edited), RECENT) is None
    assert compute_lag(status(at(9, digest="x"), clean), RECENT) is None


def test_of_a_revision_its_time_and_its_objects_are_kept() -> None:
    """A revision is reduced to its time and objects, which the lag needs."""
    revision = Revision(3, "d", "ann", "03:00", "why", (Change("luns/a"), Change("luns/b")), part=2)
    assert unapplied_revision(revision) == UnappliedRevision("03:00", {"luns/a", "luns/b"}, 2)
