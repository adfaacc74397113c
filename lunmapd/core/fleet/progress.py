"""How far a node is with a revision, and why it does not get there. Pure."""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import first_of
from lunmapd.core.fleet.path_state import NodeView
from lunmapd.core.fleet.status import APPLIED, Failing, NodeStatus

_MAX_NAMED = 3
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

    Of a node that has applied it `reason` names the problems that the commit neither brings nor concerns.

    `seconds` is how long after the wait began that was found.
    """

    stage: Stage
    reason: str = ""
    seconds: float = 0.0


def progress_of(
    view: NodeView, revision: int, *, applied: bool, waits: bool, others: tuple[Failing, ...] | None = None
) -> Progress:
    """Return how far a node is with a revision.

    `applied` says that it has applied it, `waits` that it does not follow it yet, in a rollout. `others` are
    the failing objects that don't keep it from the revision (`known_problems`), None if any does.
    """
    if applied:
        return Progress(Stage.APPLIED)
    if others is not None:
        named = first_of([f"{each.object} ({each.reason})" for each in others], _MAX_NAMED)
        return Progress(Stage.APPLIED, f"it has problems that it had before: {named}")
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
