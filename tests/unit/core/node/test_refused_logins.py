"""Refused logins, from the kernel's counters at two observations."""

from lunmapd.core.node.observed import IscsiSession, LoginCounters, Observed, SessionCounters
from lunmapd.core.node.refused_logins import (
    REFUSAL_SECONDS,
    RefusalCause,
    Refusals,
    RefusedLogins,
    describe_refused,
    update_refusals,
)

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
H = "iqn.2026-01.org.example:h"
START = update_refusals(Refusals(), [LoginCounters(T, authenticate_fails=5, negotiate_fails=9)], 0.0, "t0")


def counters(authenticate: int = 5, authorize: int = 0, negotiate: int = 9, other: int = 0) -> LoginCounters:
    """Return later counters of the target, whose last refused initiator is H."""
    return LoginCounters(T, authenticate, authorize, negotiate, other, name=H, address="10.0.0.5")


def test_what_was_counted_before_the_first_observation_is_not_news() -> None:
    """The daemon can't know when it was, and every restart would report it again."""
    assert (START.reported, START.grown) == ((), {})
    assert update_refusals(START, [counters()], 60.0, "t1").reported == ()


def test_each_refused_login_counts_once() -> None:
    """LIO counts each in negotiate_fails too, so only the rest failed at that."""
    after = update_refusals(START, [counters(7, 1, 15, 1)], 60.0, "t1")
    assert after.grown == {
        RefusalCause.AUTHENTICATION: 2,
        RefusalCause.AUTHORIZATION: 1,
        RefusalCause.OTHER: 1,
        RefusalCause.NEGOTIATION: 2,
    }
    assert after.reported[0] == RefusedLogins(T, "authentication", 2, "t1", "t1", H, "10.0.0.5")
    again = update_refusals(after, [counters(8, 1, 16, 1)], 120.0, "t2")
    assert again.reported[0] == RefusedLogins(T, "authentication", 3, "t1", "t2", H, "10.0.0.5")
    assert len(again.reported) == 4


def test_a_refused_login_is_reported_for_a_while() -> None:
    """It may have been the only attempt of the host, and nothing else ends it."""
    after = update_refusals(START, [counters(6, 0, 10)], 60.0, "t1")
    later = update_refusals(after, [counters(6, 0, 10)], 59.0 + REFUSAL_SECONDS, "t2")
    assert later.reported == after.reported
    assert (later.grown, update_refusals(later, [], 61.0 + REFUSAL_SECONDS, "t3").reported) == ({}, ())


def test_a_target_that_was_made_anew_counts_from_zero() -> None:
    """Its counters are smaller than before; one that is new has none before."""
    after = update_refusals(START, [counters(1, 0, 1), LoginCounters(U, negotiate_fails=3)], 60.0, "t1")
    assert {(entry.target, entry.cause, entry.count) for entry in after.reported} == {
        (T, "authentication", 1),
        (U, "negotiation", 3),
    }


def test_a_target_that_could_not_be_read_keeps_its_counters() -> None:
    """A directory in which the kernel is stuck is left out of an observation."""
    without = update_refusals(START, [], 60.0, "t1")
    assert update_refusals(without, [counters()], 120.0, "t2").reported == ()


def test_a_sentence_says_who_was_refused_and_why() -> None:
    """The kernel does not know the name of an initiator without an ACL; causes may be added."""
    known = RefusedLogins(T, "authentication", 2, "t1", "t1", H, "10.0.0.5")
    assert (
        describe_refused(known)
        == f"{H} at 10.0.0.5 was refused by {T}: its CHAP credentials are wrong or missing"
    )
    unknown = RefusedLogins(T, "authorization", 2, "t1", "t1", "", "10.0.0.5")
    assert describe_refused(unknown) == f"10.0.0.5 was refused by {T}: it is not mapped through this target"
    assert describe_refused(RefusedLogins(T, "full", 1, "", "")) == f"an initiator was refused by {T}: full"


def test_sessions_are_counted_as_sessions() -> None:
    """An ACL shows one session of its initiator; targets without counters count by their ACLs."""
    sessions = (IscsiSession(T, 1, H, "LOGGED_IN"), IscsiSession(U, 1, H, "LOGGED_IN"))
    observed = Observed(sessions=sessions, counters={T: SessionCounters(1, sessions=3)})
    assert observed.session_count == 4
