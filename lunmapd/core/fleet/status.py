"""What a node says of itself: `members/<node>/live` and `members/<node>/status`, the contract for monitoring.

Times are RFC 3339 in UTC. The schema is documented in docs/znodes.md.
"""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Login


class Standing(StrEnum):
    """A node's conditions in one word, for tables; the worst one counts. UNKNOWN is that of a dead node."""

    CONVERGED = "converged"
    DEGRADED = "degraded"
    HELD = "held"
    PENDING = "pending"
    UNKNOWN = "unknown"


class Live(Struct, frozen=True):
    """`members/<node>/live`, ephemeral: whose session it is. `machine` is the machine id, `boot` the kernel's boot id."""

    machine: str
    boot: str
    version: str
    since: str


class HistoryPoint(Struct, frozen=True):
    """A point in the history of one cluster. Neither a zxid nor a znode version would survive a rebuilt ensemble."""

    cluster: str
    revision: int
    digest: str


class Condition(Struct, frozen=True):
    """One condition: `type` and `reason` are CamelCase words for programs, `message` is for people.

    `reason` is a Reason, or a word of another version of lunmapd.
    """

    type: str
    status: bool
    reason: str
    message: str
    since: str


class ConditionUpdate(Struct, frozen=True):
    """A condition as one turn found it, before it is known since when."""

    type: str
    status: bool
    reason: Reason
    message: str


def true_condition(kind: str, reason: Reason, message: str) -> ConditionUpdate:
    """Say that a condition holds."""
    return ConditionUpdate(kind, status=True, reason=reason, message=message)


def false_condition(kind: str, reason: Reason, message: str) -> ConditionUpdate:
    """Say that a condition does not hold."""
    return ConditionUpdate(kind, status=False, reason=reason, message=message)


class Failing(Struct, frozen=True):
    """One object that is not as desired. `object` is `kind name ...`, `lun` the Lun concerned, if it is one's.

    `reason` is a Reason, or a word of another version of lunmapd.
    """

    object: str
    reason: str
    message: str
    lun: str = ""


class NodeStatus(Struct, frozen=True, omit_defaults=True):
    """`members/<node>/status`. `observed` is the newest revision read, `applied` the last one that was seen in the kernel.

    `failing` lists at most MAX_FAILING objects, `failing_count` counts them all; those that merely wait for another
    are counted in `waiting`. It is written at least every `beat` seconds by a daemon that turns; 0 is one that doesn't promise it.
    `logins` are those of the last look at the kernel, none if there are more than MAX_LOGINS; `sessions` counts all.
    `keys` are the ids of the node's keys, the current one first (see secrets.py).
    """

    boot: str
    version: str
    time: str
    observed: HistoryPoint | None = None
    applied: HistoryPoint | None = None
    conditions: tuple[Condition, ...] = ()
    failing: tuple[Failing, ...] = ()
    failing_count: int = 0
    waiting: int = 0
    sessions: int = 0
    keys: tuple[str, ...] = ()
    beat: float = 0.0
    logins: tuple[Login, ...] = ()

    @property
    def false_conditions(self) -> dict[str, str]:
        """The reasons of the conditions that do not hold, by type."""
        return {entry.type: entry.reason for entry in self.conditions if not entry.status}


MAX_FAILING = 50
MAX_LOGINS = 200

APPLIED = "Applied"
FRESH = "MapFresh"
KEPT = "MapKept"
OFFERED = "PathsOffered"
STORE = "StoreReadable"
UNEDITED = "MapUnedited"
UNCONTESTED = "BootUncontested"


def describe_failures(
    failures: dict[lio_objects.Key, Failure], lun_names: dict[lio_objects.Key, str]
) -> tuple[Failing, ...]:
    """Turn failures into what a status lists, causes only, in the order of their keys."""
    return tuple(
        Failing(
            lio_objects.show_key(name),
            failure.reason,
            failure.message,
            lun_names.get(name) or lun_in_key(name),
        )
        for name, failure in sorted(failures.items(), key=lambda item: lio_objects.show_key(item[0]))
        if failure.reason != Reason.WAITING
    )


def lun_in_key(name: lio_objects.Key) -> str:
    """Return the Lun that a key names, also that of its document; "" where it names none, as that of a mapped LUN."""
    match name:
        case ("storage_object", str(lun)) | ("lun", _, _, str(lun)):
            return lun
        case ("document", str(path)) if path.startswith("luns/"):
            return path.removeprefix("luns/")
        case _:
            return ""


def update_condition(before: tuple[Condition, ...], new: ConditionUpdate, now: str) -> tuple[Condition, ...]:
    """Put `new` in place of the condition of its type, keeping `since` while its status and reason stay."""
    same = next((old for old in before if old.type == new.type), None)
    kept = same is not None and (same.status, same.reason) == (new.status, new.reason)
    since = same.since if same is not None and kept else now
    others = (old for old in before if old.type != new.type)
    entry = Condition(new.type, new.status, new.reason, new.message, since)
    return tuple(sorted((*others, entry), key=lambda entry: entry.type))


def standing_of(status: NodeStatus | None) -> Standing:
    """Put a node's status into one word."""
    if status is None:
        return Standing.PENDING
    false_conditions = status.false_conditions
    if STORE in false_conditions or false_conditions.get(APPLIED) in {Reason.REMOVAL_HELD, Reason.HELD}:
        return Standing.HELD
    if status.observed is None:
        return Standing.PENDING
    if status.failing_count or false_conditions:
        return Standing.DEGRADED
    return Standing.CONVERGED if status.applied == status.observed else Standing.PENDING
