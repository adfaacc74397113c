"""How far a node is with a revision, and why it does not get there."""

import pytest

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.progress import Progress, Stage, progress_of
from lunmapd.core.fleet.status import APPLIED, Condition, Failing, HistoryPoint, NodeStatus

NOW = "2026-01-01T00:00:00Z"


def view(observed: int | None, reason: str = "", failing: tuple[Failing, ...] = ()) -> NodeView:
    """Make a live node that has read a revision; `reason` is why Applied is false, "" if it is true."""
    at = None if observed is None else HistoryPoint("c", observed, "d")
    condition = Condition(APPLIED, not reason, reason or Reason.SEEN, "words", NOW)
    return NodeView(True, False, NodeStatus("b", "v", NOW, at, at, (condition,), failing))


@pytest.mark.parametrize(
    ("node", "stage", "reason"),
    [
        (NodeView(), Stage.DEAD, "it applies the revision when it is back"),
        (NodeView(live=True, silent=True), Stage.SILENT, ""),
        (NodeView(live=True), Stage.PENDING, ""),
        (view(None), Stage.PENDING, ""),
        (view(4), Stage.PENDING, ""),
        (view(5), Stage.PENDING, ""),
        (view(5, Reason.REMAINING), Stage.PENDING, "words"),
        (view(5, Reason.REMOVAL_HELD), Stage.HELD, "words"),
        (view(5, Reason.HELD), Stage.HELD, "words"),
        (view(5, Reason.FAILING, (Failing("lun a", "InUse", "busy"),)), Stage.FAILING, "lun a: InUse: busy"),
    ],
)
def test_a_node_that_has_not_applied_says_why(node: NodeView, stage: Stage, reason: str) -> None:
    """A dead or silent node, one that has not read it, that holds it, or has an object that fails."""
    assert progress_of(node, 5, applied=False, waits=False) == Progress(stage, reason)


def test_a_node_that_has_applied_needs_no_reason() -> None:
    """Whatever else its status says."""
    assert progress_of(view(5, Reason.HELD), 5, applied=True, waits=False) == Progress(Stage.APPLIED)


def test_a_node_that_waits_names_what_releases_it() -> None:
    """It does not follow the revision yet."""
    found = progress_of(view(4), 5, applied=False, waits=True)
    assert found == Progress(Stage.WAITS, "it keeps the map before it until 'lunmapctl rollout continue'")


def test_a_node_with_other_problems_has_applied_the_revision_and_names_them() -> None:
    """Three of them."""
    others = tuple(Failing(f"storage_object {name}", "InUse", "busy", name) for name in "abcd")
    found = progress_of(view(5, Reason.FAILING, others), 5, applied=False, waits=False, others=others)
    named = "storage_object a (InUse), storage_object b (InUse), storage_object c (InUse) and 1 more"
    assert found == Progress(Stage.APPLIED, f"it has problems that it had before: {named}")
