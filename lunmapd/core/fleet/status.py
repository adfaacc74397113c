"""The documents of a node: `members/<node>/live` and `members/<node>/status`, the contract for monitoring.

Times are RFC 3339 in UTC. The schema is documented in docs/znodes.md.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Login
from lunmapd.core.node.refused_logins import RefusedLogins


class Standing(StrEnum):
    """A node's conditions in one word, the worst one, for tables. UNKNOWN is for a dead node."""

    CONVERGED = "converged"
    DEGRADED = "degraded"
    HELD = "held"
    PENDING = "pending"
    UNKNOWN = "unknown"


class Live(Struct, frozen=True):
    """The registration `members/<node>/live`, an ephemeral znode.

    `machine` is the machine id, `boot` the kernel's boot id, `version` that of lunmapd, `since` the time of
    registration.
    """

    machine: str
    boot: str
    version: str
    since: str


class HistoryPoint(Struct, frozen=True):
    """A point in the history of one cluster: the cluster's uuid, a revision and the map's digest at it.

    Zxids and znode versions don't survive a rebuilt ensemble, so they are not used.
    """

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
    """A new value of a condition, from one cycle, before its `since` is known."""

    type: str
    status: bool
    reason: Reason
    message: str


def true_condition(kind: str, reason: Reason, message: str) -> ConditionUpdate:
    """Return a condition of type `kind` that holds."""
    return ConditionUpdate(kind, status=True, reason=reason, message=message)


def false_condition(kind: str, reason: Reason, message: str) -> ConditionUpdate:
    """Return a condition of type `kind` that does not hold."""
    return ConditionUpdate(kind, status=False, reason=reason, message=message)


class Failing(Struct, frozen=True):
    """One object that is not as desired.

    `object` is `kind name ...`, `lun` the Lun concerned, if it is one's. `reason` is a Reason, or a word of
    another version of lunmapd. `kept`: a change of the object is held, and the object stays as it was, so
    that initiators still use it; an object that is missing because its creation is held is not kept.
    """

    object: str
    reason: str
    message: str
    lun: str = ""
    kept: bool = False


class FormerOccupant(Struct, frozen=True):
    """A Lun that a host may still hold under a LUN address that does not lead to it any more.

    The initiator had a session while number `lun` of the target led to the Lun `name` with this `serial`.
    `revision` is the first one that the node knew in which the address does not lead to it.
    """

    target: str
    initiator: str
    lun: int
    name: str
    serial: str
    revision: int


class DecisionLimits(Struct, frozen=True):
    """The settings of a node by which it holds steps and passes, named as in its settings file.

    `allow` is the highest class of disruption that it applies. A pass that removes more than the share
    `removal_limit` (0 to 1), and more than `removal_minimum`, waits for a confirmation.
    """

    allow: str
    removal_limit: float
    removal_minimum: int


class GroupPhase(StrEnum):
    """What a node does about a floating group. It serves the group as OWNER alone."""

    STANDBY = "standby"
    WAITING = "waiting"
    TAKING = "taking"
    OWNER = "owner"
    RELEASING = "releasing"
    LOST = "lost"
    IN_USE = "in-use"


class GroupStatus(Struct, frozen=True, omit_defaults=True):
    """A floating group that a node may own, as the node sees it.

    `phase` is a GroupPhase, or a word of another version of lunmapd; `since` is when it began. `owner` is the
    node that the lease names, "" for none. A node that is not `fit` to own the group gives the `reason`.
    """

    target: str
    name: str
    phase: str
    owner: str = ""
    since: str = ""
    fit: bool = False
    reason: str = ""


class NodeStatus(Struct, frozen=True, omit_defaults=True):
    """The status of a node, `members/<node>/status`.

    `observed` is the newest revision that was read, `applied` the last one that was observed in the kernel.
    `failing` lists at most MAX_FAILING objects, `failing_count` counts all; objects that wait for another are
    counted in `waiting` only. A running daemon writes the status at least every `beat` seconds; 0 promises
    nothing. `sessions` counts the iSCSI sessions of the last observation, `hosts` the initiators that have
    them. `logins` are their logins, none if there are more than MAX_LOGINS. `refused` are the refused logins
    of the last minutes, at most MAX_REFUSED. `keys` are the ids of the node's keys for secrets, the current
    one first.

    `backings` is a digest of what the node reports about the files and devices that it has opened, in znodes
    of their own (`members/<node>/backings`).

    `former` lists at most MAX_FORMER of the Luns that hosts may still hold under LUN addresses that lead
    elsewhere in the effective map; `former_count` counts all. The node remembers them since revision
    `former_since`; None: it remembers nothing, as a version of lunmapd that does not have this field.

    `holders` lists at most MAX_HOLDERS of the hosts that are not logged in and may still have devices of a
    target; one without an initiator stands for every initiator of the target. `holders_count` counts all.
    `limits` are the settings by which the node holds steps, `features` those of its kernel that a plan
    depends on; a version of lunmapd that does not have these fields leaves them out. `floating` are the
    floating groups that the node may own.
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
    former: tuple[FormerOccupant, ...] = ()
    former_count: int = 0
    former_since: int | None = None
    backings: str = ""
    hosts: int = 0
    refused: tuple[RefusedLogins, ...] = ()
    holders: tuple[Login, ...] = ()
    holders_count: int = 0
    limits: DecisionLimits | None = None
    features: tuple[str, ...] = ()
    floating: tuple[GroupStatus, ...] = ()

    @property
    def false_conditions(self) -> dict[str, str]:
        """The reasons of the conditions that do not hold, by type."""
        return {entry.type: entry.reason for entry in self.conditions if not entry.status}


MAX_FAILING = 50
MAX_LOGINS = 200
MAX_REFUSED = 20
MAX_FORMER = 200
MAX_HOLDERS = 200

ADDRESSES_KEPT = "AddressesKept"
APPLIED = "Applied"
FRESH = "MapFresh"
KEPT = "MapKept"
OFFERED = "PathsOffered"
RESERVATIONS = "ReservationsKept"
STORE = "StoreReadable"
FLOATING_SERVED = "FloatingServed"
UNEDITED = "MapUnedited"
UNCONTESTED = "BootUncontested"


_SERVING = {Standing.CONVERGED, Standing.PENDING}
"""A node that has not yet applied the newest commit serves what it applied before."""


def serving_logins(statuses: Mapping[str, NodeStatus]) -> dict[str, frozenset[Login]]:
    """Return the logins at each healthy node by its name, from the last statuses of live nodes."""
    return {
        name: frozenset(status.logins) for name, status in statuses.items() if standing_of(status) in _SERVING
    }


def describe_failures(
    failures: dict[lio_objects.Key, Failure],
    lun_names: dict[lio_objects.Key, str],
    kept: AbstractSet[lio_objects.Key] = frozenset(),
) -> tuple[Failing, ...]:
    """Return the failures as a status lists them, ordered by key, without objects that only wait for another.

    `lun_names` maps keys to the names of their Luns; `kept` are the keys of the objects that stay as they
    were and are used.
    """
    return tuple(
        Failing(
            lio_objects.show_key(key),
            failure.reason,
            failure.message,
            lun_names.get(key) or lun_in_key(key),
            key in kept,
        )
        for key, failure in sorted(failures.items(), key=lambda item: lio_objects.show_key(item[0]))
        if failure.reason != Reason.WAITING
    )


def lun_in_key(key: lio_objects.Key) -> str:
    """Return the name of the Lun in the key of an object or document, "" if the key has none."""
    match key:
        case ("storage_object", str(lun)) | ("lun", _, _, str(lun)):
            return lun
        case ("document", str(path)) if path.startswith("luns/"):
            return path.removeprefix("luns/")
        case _:
            return ""


def update_condition(before: tuple[Condition, ...], new: ConditionUpdate, now: str) -> tuple[Condition, ...]:
    """Return the conditions with `new` in place of the one of its type, ordered by type.

    `since` becomes `now` (RFC 3339, UTC) if status or reason change, else it stays.
    """
    same = next((old for old in before if old.type == new.type), None)
    kept = same is not None and (same.status, same.reason) == (new.status, new.reason)
    since = same.since if same is not None and kept else now
    others = (old for old in before if old.type != new.type)
    entry = Condition(new.type, new.status, new.reason, new.message, since)
    return tuple(sorted((*others, entry), key=lambda entry: entry.type))


_PASSING = (Reason.LEFT_EMPTY, Reason.DRAINING, Reason.MOVING)
"""The reasons of Applied that end by themselves."""


def standing_of(status: NodeStatus | None) -> Standing:
    """Return a node's status in one word."""
    if status is None:
        return Standing.PENDING
    false_conditions = status.false_conditions
    if STORE in false_conditions or false_conditions.get(APPLIED) in {Reason.REMOVAL_HELD, Reason.HELD}:
        return Standing.HELD
    if status.observed is None:
        return Standing.PENDING
    if false_conditions in [{APPLIED: reason} for reason in _PASSING]:
        return Standing.PENDING
    if status.failing_count or false_conditions:
        return Standing.DEGRADED
    return Standing.CONVERGED if status.applied == status.observed else Standing.PENDING
