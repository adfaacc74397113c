"""What a node says of itself: `live/<node>` and `status/<node>`, the contract for monitoring.

Times are RFC 3339 in UTC. The schema is documented in docs/znodes.md.
"""

from enum import StrEnum

from msgspec import Struct

from lunmapd.core import lio
from lunmapd.core.outcome import WAITING, Failure


class Standing(StrEnum):
    """A node's conditions in one word, for tables; the worst one counts. UNKNOWN is that of a dead node."""

    CONVERGED = "converged"
    DEGRADED = "degraded"
    HELD = "held"
    PENDING = "pending"
    UNKNOWN = "unknown"


class Live(Struct, frozen=True):
    """`live/<node>`, ephemeral: whose session it is. `machine` is the machine id, `boot` the kernel's boot id."""

    machine: str
    boot: str
    version: str
    since: str


class At(Struct, frozen=True):
    """A point in the history of one cluster. Neither a zxid nor a znode version would survive a rebuilt ensemble."""

    cluster: str
    revision: int
    digest: str


class Condition(Struct, frozen=True):
    """One condition: `type` and `reason` are CamelCase words for programs, `message` is for people."""

    type: str
    status: bool
    reason: str
    message: str
    since: str


class Failing(Struct, frozen=True):
    """One object that is not as desired. `object` is `kind name ...`, `lun` the Lun concerned, if it is one's."""

    object: str
    reason: str
    message: str
    lun: str = ""


class NodeStatus(Struct, frozen=True, omit_defaults=True):
    """`status/<node>`. `observed` is the newest revision read, `applied` the last one that was seen in the kernel.

    `failing` lists at most MAX_FAILING objects, `failing_count` counts them all; those that merely wait for another
    are counted in `waiting`. `keys` are the ids of the node's keys, the current one first (see secrets.py).
    """

    boot: str
    version: str
    time: str
    observed: At | None = None
    applied: At | None = None
    conditions: tuple[Condition, ...] = ()
    failing: tuple[Failing, ...] = ()
    failing_count: int = 0
    waiting: int = 0
    sessions: int = 0
    keys: tuple[str, ...] = ()


MAX_FAILING = 50

APPLIED = "Applied"
STORE = "StoreReadable"


def describe_failures(failures: dict[lio.Key, Failure], lun_names: dict[lio.Key, str]) -> tuple[Failing, ...]:
    """Turn failures into what a status lists, causes only, in the order of their keys."""
    return tuple(
        Failing(lio.show_key(name), failure.reason, failure.message, lun_names.get(name, ""))
        for name, failure in sorted(failures.items(), key=lambda item: lio.show_key(item[0]))
        if failure.reason != WAITING
    )


def condition(before: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """Put `new` in place of the condition of its type, keeping `since` while its status and reason stay."""
    same = next((old for old in before if old.type == new.type), None)
    if same is not None and (same.status, same.reason) == (new.status, new.reason):
        new = Condition(new.type, new.status, new.reason, new.message, same.since)
    others = (old for old in before if old.type != new.type)
    return tuple(sorted((*others, new), key=lambda entry: entry.type))


def standing(status: NodeStatus | None) -> Standing:
    """Put a node's status into one word."""
    if status is None or status.observed is None:
        return Standing.PENDING
    by_type = {entry.type: entry for entry in status.conditions}
    store, applied = by_type.get(STORE), by_type.get(APPLIED)
    if store is not None and not store.status:
        return Standing.HELD
    if status.failing_count or (applied is not None and not applied.status):
        return Standing.DEGRADED
    return Standing.CONVERGED if status.applied == status.observed else Standing.PENDING
