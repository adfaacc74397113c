"""Refused logins: the growth of the kernel's counters between two observations.

The kernel's own time of the last refused login wraps around within days, since it multiplies jiffies in 32
bits (iscsi_target_stat.c), and its type is always that of a failed negotiation, which ends each refused
login. So times are those of the observations, and causes those of the counters.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from lunmapd.core.node.observed import LoginCounters

REFUSAL_SECONDS = 900.0
"""How long a refused login is reported after it was observed.

open-iscsi does not repeat a login that was refused for its credentials, so the last refusal may be the only
one.
"""


class RefusalCause(StrEnum):
    """Why logins were refused, as far as the kernel counts it."""

    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    NEGOTIATION = "negotiation"
    OTHER = "other"


class RefusedLogins(Struct, frozen=True, omit_defaults=True):
    """Logins to a target that were refused for one cause.

    `count` logins were refused between the observations at `since` and `last` (RFC 3339, UTC). `initiator`
    and `address` are those of the last refused login of the target, empty if the kernel does not know them.
    """

    target: str
    cause: str
    count: int
    since: str
    last: str
    initiator: str = ""
    address: str = ""


_WORDS: Mapping[str, str] = {
    RefusalCause.AUTHENTICATION: "its CHAP credentials are wrong or missing",
    RefusalCause.AUTHORIZATION: "it is not mapped through this target",
    RefusalCause.NEGOTIATION: "the login was not completed",
    RefusalCause.OTHER: "the target had an error",
}


def describe_refused(logins: RefusedLogins) -> str:
    """Return a sentence about refused logins, without counts and times."""
    who = " at ".join(filter(None, (logins.initiator, logins.address))) or "an initiator"
    return f"{who} was refused by {logins.target}: {_WORDS.get(logins.cause, logins.cause)}"


class RecentRefusal(Struct, frozen=True):
    """Refused logins, and the monotonic time of the observation that found the last one."""

    logins: RefusedLogins
    at: float


class Refusals(Struct, frozen=True):
    """The refused logins of a node.

    `counters` are the last ones of each target, None before the first observation. `recent` are the refused
    logins that are reported, `grown` counts those that the last observation found, by cause.
    """

    counters: Mapping[str, LoginCounters] | None = None
    recent: Mapping[tuple[str, RefusalCause], RecentRefusal] = {}
    grown: Mapping[RefusalCause, int] = {}

    @property
    def reported(self) -> tuple[RefusedLogins, ...]:
        """The refused logins to report, the most recent first."""
        newest = sorted(self.recent.items(), key=lambda entry: (-entry[1].at, entry[0]))
        return tuple(entry.logins for _, entry in newest)


def update_refusals(before: Refusals, counters: Iterable[LoginCounters], now: float, time: str) -> Refusals:
    """Return the refused logins after an observation at the monotonic time `now`, which is `time` (RFC 3339).

    The first observation finds none, since it can't know when they were. A target that it did not have, or
    whose counters are smaller, was made since.
    """
    observed = {entry.target: entry for entry in counters}
    recent = {key: entry for key, entry in before.recent.items() if now - entry.at < REFUSAL_SECONDS}
    grown: dict[RefusalCause, int] = {}
    if before.counters is None:
        return Refusals(observed, recent)
    for target, entry in observed.items():
        for cause, count in _growth(before.counters.get(target), entry):
            grown[cause] = grown.get(cause, 0) + count
            earlier = recent.get((target, cause))
            recent[target, cause] = RecentRefusal(_more(earlier, entry, cause, count, time), now)
    return Refusals({**before.counters, **observed}, recent, grown)


def _growth(before: LoginCounters | None, after: LoginCounters) -> Iterator[tuple[RefusalCause, int]]:
    if before is None or after.negotiate_fails < before.negotiate_fails:
        before = LoginCounters(after.target)
    exact = {
        RefusalCause.AUTHENTICATION: after.authenticate_fails - before.authenticate_fails,
        RefusalCause.AUTHORIZATION: after.authorize_fails - before.authorize_fails,
        RefusalCause.OTHER: after.other_fails - before.other_fails,
    }
    rest = after.negotiate_fails - before.negotiate_fails - sum(exact.values())
    for cause, count in {**exact, RefusalCause.NEGOTIATION: rest}.items():
        if count > 0:
            yield cause, count


def _more(
    earlier: RecentRefusal | None, entry: LoginCounters, cause: RefusalCause, count: int, time: str
) -> RefusedLogins:
    since, before = (time, 0) if earlier is None else (earlier.logins.since, earlier.logins.count)
    return RefusedLogins(entry.target, cause.value, before + count, since, time, entry.name, entry.address)
