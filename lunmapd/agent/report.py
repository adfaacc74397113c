"""From what a pass found to what the node says of itself. Pure; the time is passed in, as RFC 3339 text."""

from collections.abc import Iterator

from msgspec import Struct, structs

from lunmapd import __version__
from lunmapd.agent.reconcile import Result
from lunmapd.core import lio
from lunmapd.core.errors import LunmapdError
from lunmapd.core.outcome import WAITING
from lunmapd.core.status import (
    APPLIED,
    MAX_FAILING,
    STORE,
    At,
    Condition,
    NodeStatus,
    condition,
    describe_failures,
)


class Turn(Struct, frozen=True):
    """What one turn of the loop came to. `store_error` says why the map is not fresh, `error` why no pass was made."""

    at: At | None = None
    result: Result | None = None
    store_error: LunmapdError | None = None
    error: LunmapdError | None = None

    @property
    def converged(self) -> bool:
        """Whether the newest map was read and seen in the kernel."""
        return self.store_error is None and self.result is not None and self.result.converged


def reason_of(error: Exception) -> str:
    """Name an error as a condition's reason: UnreachableError is Unreachable."""
    return type(error).__name__.removesuffix("Error")


def first_status(boot: str, now: str) -> NodeStatus:
    """Return the status of a node that has done nothing yet."""
    return NodeStatus(boot, __version__, now)


def next_status(before: NodeStatus, turn: Turn, now: str) -> NodeStatus:
    """Return the status after a turn; equal to `before` but for `time` when nothing changed."""
    conditions = before.conditions
    for new in _conditions(turn, now):
        conditions = condition(conditions, new)
    status = structs.replace(before, time=now, conditions=conditions, observed=turn.at or before.observed)
    return status if turn.result is None else _with_result(status, turn.at, turn.result)


def _with_result(status: NodeStatus, at: At | None, result: Result) -> NodeStatus:
    luns = {lio.key(report.step.item): lio.lun_of(report.step.item) or "" for report in result.done}
    failing = describe_failures(dict(result.failures), luns)
    waiting = sum(failure.reason == WAITING for failure in result.failures.values())
    return structs.replace(
        status,
        applied=at if result.converged else status.applied,
        failing=failing[:MAX_FAILING],
        failing_count=len(failing),
        waiting=waiting,
        sessions=len(result.observed.sessions),
    )


def _conditions(turn: Turn, now: str) -> Iterator[Condition]:
    if turn.store_error is not None:
        yield _false(STORE, turn.store_error, now)
    else:
        yield Condition(STORE, status=True, reason="Read", message="the map was read", since=now)
    if turn.error is not None:
        yield _false(APPLIED, turn.error, now)
    elif turn.result is not None:
        yield _applied(turn.result, now)


def _false(kind: str, error: LunmapdError, now: str) -> Condition:
    return Condition(kind, status=False, reason=reason_of(error), message=str(error), since=now)


def _applied(result: Result, now: str) -> Condition:
    if result.converged:
        message = "the kernel was seen to be as the map says"
        return Condition(APPLIED, status=True, reason="Seen", message=message, since=now)
    if result.failures:
        message = f"{len(result.failures)} objects are not as the map says"
        return Condition(APPLIED, status=False, reason="Failing", message=message, since=now)
    message = f"{len(result.left)} steps are left: {result.left[0]}"
    return Condition(APPLIED, status=False, reason="Remaining", message=message, since=now)
