"""How far a node is with a revision, and why it does not get there. Pure."""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import APPLIED, NodeStatus

_HELD = {Reason.HELD, Reason.REMOVAL_HELD}


class Stage(StrEnum):
    """How far a node is with a revision."""

    APPLIED = "applied"
    PENDING = "pending"
    WAITS = "waits"
    HELD = "held"
    FAILING = "failing"
    SILENT = "silent"
    DEAD = "dead"


class Progress(Struct, frozen=True):
    """How far a node is with a revision; `reason` is a sentence about what keeps it, "" for nothing.

    `seconds` is how long after the wait began that was found.
    """

    stage: Stage
    reason: str = ""
    seconds: float = 0.0


def progress_of(view: NodeView, revision: int, *, applied: bool, waits: bool) -> Progress:
    """Return how far a node is with a revision.

    `applied` says that it has applied it, `waits` that it does not follow it yet, in a rollout.
    """
    if applied:
        return Progress(Stage.APPLIED)
    if not view.live:
        return Progress(Stage.DEAD, "it applies the revision when it is back")
    if view.silent or view.status is None:
        return Progress(Stage.SILENT if view.silent else Stage.PENDING)
    if waits:
        return Progress(Stage.WAITS, "it keeps the map before it until 'lunmapctl rollout continue'")
    return _stage_of(view.status, revision)


def _stage_of(status: NodeStatus, revision: int) -> Progress:
    if status.observed is None or status.observed.revision < revision:
        return Progress(Stage.PENDING)
    reason = next((each for each in status.conditions if each.type == APPLIED and not each.status), None)
    if reason is not None and reason.reason in _HELD:
        return Progress(Stage.HELD, reason.message)
    if status.failing:
        first = status.failing[0]
        return Progress(Stage.FAILING, f"{first.object}: {first.reason}: {first.message}")
    return Progress(Stage.PENDING, "" if reason is None else reason.message)
