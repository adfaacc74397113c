"""The status of a node."""

import pytest

from lunmapd.core.base.documents import decode
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    APPLIED,
    STORE,
    UNEDITED,
    Condition,
    Failing,
    HistoryPoint,
    NodeStatus,
    Standing,
    describe_failures,
    false_condition,
    standing_of,
    true_condition,
    update_condition,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from support.small_map import H, T

TPG = lio_objects.Tpg(T, 1)
ACL = lio_objects.NodeAcl(T, 1, H)
FAILURE = Failure(Reason.IN_USE, "busy")
AT = HistoryPoint("c", 4, "d")


def test_a_status_lists_causes_only() -> None:
    """Objects that merely wait are not listed among the failing ones."""
    found = {lio_objects.key_of(ACL): FAILURE, lio_objects.key_of(TPG): Failure(Reason.WAITING, "")}
    assert describe_failures(found, {lio_objects.key_of(ACL): "a"}) == (
        Failing(f"acl {T} 1 {H}", "InUse", "busy", "a"),
    )


def test_a_status_shows_which_objects_stay_as_they_were() -> None:
    """A reader of another version ignores the field, and takes an entry without it as not kept."""
    key = lio_objects.key_of(ACL)
    (entry,) = describe_failures({key: FAILURE}, {}, {key})
    assert entry.kept
    assert decode(b'{"object": "o", "reason": "r", "message": "m"}', Failing) == Failing("o", "r", "m")


def test_a_condition_keeps_since_while_it_lasts() -> None:
    """`since` moves only when status or reason change."""
    first = update_condition((), true_condition(APPLIED, Reason.SEEN, "r1"), "t1")
    same = update_condition(first, true_condition(APPLIED, Reason.SEEN, "r2"), "t2")
    assert same == (Condition(APPLIED, True, "Seen", "r2", "t1"),)
    other = update_condition(
        (*same, Condition(STORE, True, "Read", "", "t0")), false_condition(APPLIED, Reason.FAILING, ""), "t3"
    )
    assert [entry.since for entry in other] == ["t3", "t0"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (None, Standing.PENDING),
        (NodeStatus("b", "v", "t"), Standing.PENDING),
        (NodeStatus("b", "v", "t", AT, AT), Standing.CONVERGED),
        (NodeStatus("b", "v", "t", AT, HistoryPoint("c", 3, "d")), Standing.PENDING),
        (NodeStatus("b", "v", "t", AT, AT, failing_count=1), Standing.DEGRADED),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(APPLIED, False, "r", "", "t"),)), Standing.DEGRADED),
        (
            NodeStatus("b", "v", "t", AT, AT, (Condition(APPLIED, False, Reason.LEFT_EMPTY, "", "t"),)),
            Standing.PENDING,
        ),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(UNEDITED, False, "r", "", "t"),)), Standing.DEGRADED),
        (NodeStatus("b", "v", "t", AT, AT, (Condition(STORE, False, "r", "", "t"),)), Standing.HELD),
        (NodeStatus("b", "v", "t", None, None, (Condition(STORE, False, "r", "", "t"),)), Standing.HELD),
        (
            NodeStatus("b", "v", "t", AT, AT, (Condition(APPLIED, False, Reason.REMOVAL_HELD, "", "t"),)),
            Standing.HELD,
        ),
    ],
)
def test_a_nodes_standing_is_one_word(status: NodeStatus | None, word: Standing) -> None:
    """The worst condition gives the word of the table."""
    assert standing_of(status) is word
