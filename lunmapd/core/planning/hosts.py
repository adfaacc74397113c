"""Hosts that may hold devices of a target: those with a session that is not known to be logged out. Pure.

Linux keeps the devices of a session that is lost, and logs in again. Only a logout removes them. LIO counts
the requests of initiators to close a session for each target, without their names. So an interval between two
observations is evaluated as a whole: if as many sessions ended as were closed by a request, every session
that ended in it was logged out (docs/adr/0022-lun-addresses.md has the measurements).

An interval begins with an observation that shows every session of the target, or with the creation of the
target's directory, and ends with the next such observation. Until then its logouts count for nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession, Observed, SessionCounters

MAX_ISIDS = 16
"""The ISIDs remembered of a host. A host with more counts as one whose logout can't be recognised."""
MAX_BEGAN = 1000
"""The sessions remembered of an interval. Further ones count as unobserved."""
_MANY = "many"


class TargetHost(NamedTuple):
    """An initiator, as the host of a target's devices on this node."""

    target: str
    initiator: str


class SessionId(NamedTuple):
    """A session: its initiator, its ISID, and LIO's number of the login."""

    initiator: str
    isid: str
    number: int


class Interval(Struct, frozen=True):
    """The sessions of a target since the last observation that showed all of them.

    `start` are the counters at that observation and `live` the sessions then; `began` are the sessions that
    were observed since. `initiators` are those with an ACL at the start or since.
    """

    start: SessionCounters
    live: AbstractSet[SessionId] = frozenset()
    began: AbstractSet[SessionId] = frozenset()
    initiators: AbstractSet[str] = frozenset()


class Hosts(Struct, frozen=True):
    """The hosts that may hold devices: host to the ISIDs of its sessions that are not known to be logged out.

    Without an ISID no session of the host was observed, but it may have had one. `intervals` maps a target to
    its open interval. `unsure` are the targets of which any initiator may have logged in unobserved.
    `suspects` may have an ACL since the last full observation: partial passes make and remove ACLs, too.
    """

    isids: Mapping[TargetHost, AbstractSet[str]] = {}
    intervals: Mapping[str, Interval] = {}
    unsure: AbstractSet[str] = frozenset()
    suspects: AbstractSet[TargetHost] = frozenset()

    @property
    def targets(self) -> AbstractSet[str]:
        """The targets of which hosts may hold devices."""
        return {host.target for host in self.isids} | self.intervals.keys()

    def may_hold(self, target: str, initiator: str) -> bool:
        """Return whether the host may hold devices of the target."""
        return target in self.unsure or TargetHost(target, initiator) in self.isids


def add_hosts(hosts: Hosts, more: Iterable[TargetHost]) -> Hosts:
    """Return `hosts` with hosts that may have had a session that nobody observed."""
    return replace(hosts, isids={**{host: frozenset[str]() for host in more}, **hosts.isids})


def add_suspects(hosts: Hosts, more: Iterable[TargetHost]) -> Hosts:
    """Return `hosts` with hosts that may get an ACL, unless it is known that they have one."""
    fresh = {host for host in more if not _has_acl(hosts, host)}
    return replace(hosts, suspects=hosts.suspects | fresh) if fresh else hosts


def _has_acl(hosts: Hosts, host: TargetHost) -> bool:
    interval = hosts.intervals.get(host.target)
    return host in hosts.isids or (interval is not None and host.initiator in interval.initiators)


def end_intervals(hosts: Hosts) -> Hosts:
    """Return `hosts` after a reboot of the node: the ends of the intervals are unknown."""
    lost = (
        TargetHost(target, initiator)
        for target, interval in hosts.intervals.items()
        for initiator in interval.initiators
    )
    hosts = add_hosts(hosts, (*lost, *hosts.suspects))
    return replace(hosts, intervals={}, unsure=frozenset(), suspects=frozenset())


def observe_hosts(hosts: Hosts, observed: Observed) -> Hosts:
    """Return the hosts after a full observation."""
    hosts = _place_suspects(hosts)
    sessions, acls = _by_target(observed.sessions), _initiators(observed)
    present = {item.iqn for item in observed.objects.values() if isinstance(item, lio_objects.Target)}
    for target in sorted(hosts.intervals.keys() | present | sessions.keys()):
        now = _Now(
            target, observed.counters.get(target), sessions.get(target, ()), acls.get(target, frozenset())
        )
        hosts = _observe_target(hosts, now, is_present=target in present)
    return replace(hosts, unsure=hosts.unsure & present)


def _place_suspects(hosts: Hosts) -> Hosts:
    """Return `hosts` with the suspects among the initiators of the open intervals of their targets."""
    intervals, rest = dict(hosts.intervals), set[TargetHost]()
    for host in hosts.suspects:
        interval = intervals.get(host.target)
        if interval is None:
            rest.add(host)
        else:
            intervals[host.target] = replace(interval, initiators=interval.initiators | {host.initiator})
    return replace(hosts, intervals=intervals, suspects=frozenset(rest))


class _Now(NamedTuple):
    """An observation of a target."""

    target: str
    counters: SessionCounters | None
    sessions: tuple[IscsiSession, ...]
    initiators: AbstractSet[str]

    @property
    def live(self) -> AbstractSet[SessionId]:
        """The sessions."""
        return frozenset(SessionId(each.initiator, each.isid, each.number) for each in self.sessions)


def _by_target(sessions: Iterable[IscsiSession]) -> Mapping[str, tuple[IscsiSession, ...]]:
    found: dict[str, list[IscsiSession]] = {}
    for session in sessions:
        found.setdefault(session.iqn, []).append(session)
    return {target: tuple(each) for target, each in found.items()}


def _initiators(observed: Observed) -> Mapping[str, AbstractSet[str]]:
    found: dict[str, set[str]] = {}
    for item in observed.objects.values():
        if isinstance(item, lio_objects.NodeAcl):
            found.setdefault(item.iqn, set()).add(item.initiator)
    return found


def _observe_target(hosts: Hosts, now: _Now, *, is_present: bool) -> Hosts:
    hosts = replace(hosts, isids=_with_sessions(hosts.isids, now.target, now.live))
    before = hosts.intervals.get(now.target)
    if before is not None and not _continues(before, now, is_present=is_present):
        hosts = _lose(hosts, now.target, before)
        before = None
    if now.counters is None:
        return _keep_open(hosts, now, before, is_present=is_present)
    interval = before or Interval(SessionCounters(now.counters.incarnation))
    interval = _extend(interval, now)
    unobserved = now.counters.accepts - interval.start.accepts > len(interval.began)
    if not _shows_all(now, now.counters):
        unsure = hosts.unsure - {now.target} | ({now.target} if unobserved else frozenset())
        return replace(hosts, intervals={**hosts.intervals, now.target: interval}, unsure=unsure)
    return _close(hosts, now.target, interval, now, unobserved=unobserved)


def _with_sessions(
    isids: Mapping[TargetHost, AbstractSet[str]], target: str, live: AbstractSet[SessionId]
) -> Mapping[TargetHost, AbstractSet[str]]:
    more = dict(isids)
    for session in live:
        host = TargetHost(target, session.initiator)
        more[host] = _limited(more.get(host, frozenset()) | {session.isid})
    return more


def _limited(isids: AbstractSet[str]) -> AbstractSet[str]:
    return isids if len(isids) <= MAX_ISIDS else frozenset({_MANY})


def _continues(before: Interval, now: _Now, *, is_present: bool) -> bool:
    """Return whether the target is the one of the interval; without counters that is not known."""
    if now.counters is None:
        return is_present
    start = before.start
    return (
        now.counters.incarnation == start.incarnation
        and now.counters.accepts >= start.accepts
        and now.counters.normal_logouts >= start.normal_logouts
        and now.counters.abnormal_logouts >= start.abnormal_logouts
    )


def _lose(hosts: Hosts, target: str, interval: Interval) -> Hosts:
    """Return the hosts after an interval whose end is unknown: any of its initiators may have logged in."""
    hosts = add_hosts(hosts, (TargetHost(target, initiator) for initiator in interval.initiators))
    rest = {name: each for name, each in hosts.intervals.items() if name != target}
    return replace(hosts, intervals=rest, unsure=hosts.unsure - {target})


def _extend(interval: Interval, now: _Now) -> Interval:
    room = max(0, MAX_BEGAN - len(interval.began))
    began = sorted(now.live - interval.live - interval.began)[:room]
    return replace(
        interval,
        began=interval.began | frozenset(began),
        initiators=interval.initiators | now.initiators,
    )


def _keep_open(hosts: Hosts, now: _Now, before: Interval | None, *, is_present: bool) -> Hosts:
    """Return the hosts after an observation without counters."""
    if not is_present:
        return hosts
    intervals = hosts.intervals
    if before is not None:
        intervals = {**intervals, now.target: _extend(before, now)}
    return replace(hosts, intervals=intervals, unsure=hosts.unsure | {now.target})


def _shows_all(now: _Now, counters: SessionCounters) -> bool:
    """Return whether the observation shows every session of the target, and none of them is ending."""
    return (
        counters.is_steady
        and len(now.sessions) == counters.sessions
        and all(session.is_steady for session in now.sessions)
    )


def _close(hosts: Hosts, target: str, interval: Interval, now: _Now, *, unobserved: bool) -> Hosts:
    assert now.counters is not None, "the caller checks that there are counters"
    start, end, live = interval.start, now.counters, now.live
    ended = start.sessions + end.accepts - start.accepts - end.sessions
    logouts = end.normal_logouts - start.normal_logouts
    if ended == logouts and end.abnormal_logouts == start.abnormal_logouts:
        gone = (interval.live | interval.began) - live
        hosts = replace(hosts, isids=dict(_without_sessions(hosts.isids, target, gone, live)))
    elif unobserved:
        hosts = add_hosts(hosts, (TargetHost(target, initiator) for initiator in interval.initiators))
    begun = Interval(end, live, frozenset(), now.initiators)
    return replace(hosts, intervals={**hosts.intervals, target: begun}, unsure=hosts.unsure - {target})


def _without_sessions(
    isids: Mapping[TargetHost, AbstractSet[str]],
    target: str,
    gone: AbstractSet[SessionId],
    live: AbstractSet[SessionId],
) -> Iterator[tuple[TargetHost, AbstractSet[str]]]:
    """Yield the hosts without the sessions that logged out. A host leaves with its last observed session."""
    for host, known in isids.items():
        out = {each.isid for each in gone if host == (target, each.initiator)}
        out -= {each.isid for each in live if host == (target, each.initiator)}
        if left := known - out:
            yield host, left
        elif not out:
            yield host, known
