"""From the result of a cycle to the status of the node. Pure; times are passed in, in RFC 3339."""

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from lunmapd import __version__
from lunmapd.agent.reconcile.addresses import list_former
from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.errors import ConditionError, LunmapdError
from lunmapd.core.base.lunmap import EMPTY_MAP, Lunmap
from lunmapd.core.base.reasons import Reason
from lunmapd.core.base.text import count_of, first_of
from lunmapd.core.fleet.status import (
    APPLIED,
    MAX_FAILING,
    MAX_HOLDERS,
    MAX_LOGINS,
    MAX_REFUSED,
    RESERVATIONS,
    STORE,
    ConditionUpdate,
    HistoryPoint,
    NodeStatus,
    describe_failures,
    false_condition,
    true_condition,
    update_condition,
)
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Login
from lunmapd.core.node.refused_logins import Refusals
from lunmapd.core.planning.former import HolderRecord, held_luns
from lunmapd.core.planning.hosts import Hosts
from lunmapd.core.planning.outcome import kept_objects


class CycleResult(Struct, frozen=True):
    """The result of one cycle.

    `at` is the point of the history that was reconciled, `result` that of the pass. `store_error` is why the
    map is not the newest, `error` why no pass was made. `conditions` are those that the cycle found besides
    these two. `lunmap` is the map that was reconciled, `refusals` are the refused logins. `tried` is the
    revision that is tried in a rollout, whether the node follows it or not; 0 for none.
    """

    at: HistoryPoint | None = None
    result: PassResult | None = None
    store_error: LunmapdError | None = None
    error: LunmapdError | None = None
    conditions: tuple[ConditionUpdate, ...] = ()
    lunmap: Lunmap = EMPTY_MAP
    refusals: Refusals = Refusals()
    tried: int = 0

    @property
    def converged(self) -> bool:
        """Whether the newest map was read, and LIO was observed to be as it asks for."""
        return self.store_error is None and self.result is not None and self.result.converged


def reason_of(error: LunmapdError) -> Reason:
    """Return the reason that an error declares; Internal for one that no cycle raises on purpose."""
    return error.reason if isinstance(error, ConditionError) else Reason.INTERNAL


def first_status(boot: str, now: str) -> NodeStatus:
    """Return the status of a node before its first cycle."""
    return NodeStatus(boot, __version__, now)


def next_status(before: NodeStatus, cycle: CycleResult, now: str) -> NodeStatus:
    """Return the status after a cycle; equal to `before` except for `time` when nothing changed."""
    conditions = before.conditions
    for update in (*_conditions(cycle), *cycle.conditions):
        conditions = update_condition(conditions, update, now)
    status = structs.replace(before, time=now, conditions=conditions, observed=cycle.at or before.observed)
    if cycle.result is None:
        return status
    status = _with_result(status, cycle.at, cycle.result)
    return structs.replace(status, refused=cycle.refusals.reported[:MAX_REFUSED])


def _with_result(status: NodeStatus, at: HistoryPoint | None, result: PassResult) -> NodeStatus:
    steps = (*(report.step for report in result.done), *result.left)
    luns = {lio_objects.key_of(step.item): lio_objects.lun_served_by(step.item) or "" for step in steps}
    kept = kept_objects(result.failures, result.left, result.observed.objects)
    failing = describe_failures(dict(result.failures), luns, kept)
    waiting = sum(failure.reason == Reason.WAITING for failure in result.failures.values())
    return structs.replace(
        status,
        applied=at if result.converged else status.applied,
        failing=failing[:MAX_FAILING],
        failing_count=len(failing),
        waiting=waiting,
        sessions=result.observed.session_count,
        hosts=len({session.initiator for session in result.observed.sessions}),
        logins=_logins(result.observed.sessions),
        features=tuple(sorted(result.observed.features)),
    )


def with_former(status: NodeStatus, record: HolderRecord | None) -> NodeStatus:
    """Return the status with the Luns that hosts may still hold under LUN addresses, and with these hosts."""
    if record is None:
        return status
    count = sum(map(len, held_luns(record).values()))
    holders = sorted(_holders(record.hosts) - set(status.logins))
    return structs.replace(
        status,
        former=list_former(record),
        former_count=count,
        former_since=record.since,
        holders=tuple(holders[:MAX_HOLDERS]),
        holders_count=len(holders),
    )


def _holders(hosts: Hosts) -> set[Login]:
    """Return the hosts that may have devices; one without an initiator stands for all of the target."""
    return {Login(*host) for host in hosts.isids} | {Login(target, "") for target in hosts.unsure}


def _logins(sessions: Iterable[IscsiSession]) -> tuple[Login, ...]:
    found = {Login(session.iqn, session.initiator) for session in sessions if session.state == LOGGED_IN}
    return tuple(sorted(found)) if len(found) <= MAX_LOGINS else ()


def _conditions(cycle: CycleResult) -> Iterator[ConditionUpdate]:
    if cycle.store_error is not None:
        yield _false(STORE, cycle.store_error)
    else:
        yield true_condition(STORE, Reason.READ, "the map was read")
    if cycle.error is not None:
        yield _false(APPLIED, cycle.error)
    elif cycle.result is not None:
        yield _applied(cycle.result)
        yield _reservations(cycle.result)


def _objects_are(number: int) -> str:
    return f"{count_of(number, 'object')} {'is' if number == 1 else 'are'}"


def _false(kind: str, error: LunmapdError) -> ConditionUpdate:
    return false_condition(kind, reason_of(error), str(error))


def _applied(result: PassResult) -> ConditionUpdate:
    if result.converged:
        return true_condition(APPLIED, Reason.SEEN, "LIO was observed to be as the map says")
    if (left_out := _left_out(result)) is not None:
        return left_out
    if result.failures:
        return false_condition(
            APPLIED, Reason.FAILING, f"{_objects_are(len(result.failures))} not as the map says"
        )
    if result.left:
        return false_condition(
            APPLIED, Reason.REMAINING, f"{len(result.left)} steps are left: {result.left[0]}"
        )
    return false_condition(
        APPLIED, Reason.WITHHELD, f"{result.kept_disabled} TPGs are not enabled, all else is as the map says"
    )


def _reservations(result: PassResult) -> ConditionUpdate:
    files = result.observed.reservations
    if result.unrestored or files.damaged:
        return false_condition(RESERVATIONS, Reason.NOT_RESTORED, _unrestored(result))
    if files.problem:
        message = f"{files.problem}: the kernel refuses reservations that must survive a power loss"
        return false_condition(RESERVATIONS, Reason.UNWRITABLE, message)
    return true_condition(RESERVATIONS, Reason.KEPT, "all reservations on disk are in effect")


def _unrestored(result: PassResult) -> str:
    parts = [f"on disk only: {first_of(result.unrestored, 1)}"] if result.unrestored else []
    damaged = result.observed.reservations.damaged
    parts += [f"cut off: {first_of(damaged, 1)}"] if damaged else []
    return f"persistent reservations are not in effect, {'; '.join(parts)}; see operations.md, Reservations"


_ON_PURPOSE = (
    Reason.CLAIMS_UNREADABLE,
    Reason.CLAIMS_UNWRITABLE,
    Reason.HELD,
    Reason.LEFT_EMPTY,
    Reason.DRAINING,
    Reason.MOVING,
    Reason.DRIFTED,
)
"""The reasons of steps that are left out on purpose; the first one that applies is that of the condition."""


def _left_out(result: PassResult) -> ConditionUpdate | None:
    """Return the condition of a pass that left out steps on purpose, and in which nothing else failed."""
    reasons = {failure.reason for failure in result.failures.values()}
    reason = next((each for each in _ON_PURPOSE if each in reasons), None)
    if reason is None or not reasons <= {*_ON_PURPOSE, Reason.WAITING}:
        return None
    those = [failure for failure in result.failures.values() if failure.reason == reason]
    sentences = {
        Reason.CLAIMS_UNREADABLE: those[0].message,
        Reason.CLAIMS_UNWRITABLE: those[0].message,
        Reason.HELD: f"{_objects_are(len(result.failures))} held or wait: {those[0].message}",
        Reason.LEFT_EMPTY: f"{len(those)} LUN numbers stay empty before they lead to another Lun",
        Reason.DRAINING: those[0].message,
        Reason.MOVING: those[0].message,
        Reason.DRIFTED: _drifted(result),
    }
    return false_condition(APPLIED, reason, sentences[reason])


def _drifted(result: PassResult) -> str:
    names = sorted(
        lio_objects.show_key(name) for name, why in result.failures.items() if why.reason == Reason.DRIFTED
    )
    return f"changed outside lunmapd, left unchanged (drift: report): {first_of(names, 1)}"
