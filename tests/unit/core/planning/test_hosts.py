"""Which hosts may hold devices, from what observations show of sessions and counters."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import MARK
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession, Observed
from lunmapd.core.planning.hosts import (
    MAX_BEGAN,
    MAX_ISIDS,
    Hosts,
    TargetHost,
    add_hosts,
    add_suspects,
    end_intervals,
    observe_hosts,
)

T, U = "iqn.2026-01.org.example:t", "iqn.2026-01.org.example:u"
H, G = "iqn.2026-01.org.example:h", "iqn.2026-01.org.example:g"


@dataclass
class Node:
    """A target with two ACLs on a fake LIO, and what the node concludes from observing it."""

    lio: FakeLio = field(default_factory=FakeLio)
    hosts: Hosts = field(default_factory=Hosts)

    def __post_init__(self) -> None:
        """Make the target and observe it."""
        tpg = lio_objects.Tpg(T, 1, (), (("TargetAlias", MARK),))
        acls = [lio_objects.NodeAcl(T, 1, name) for name in (H, G)]
        self.lio.objects = dict(lio_objects.by_key([lio_objects.Target(T), tpg, *acls]))
        self.observe()

    def observe(self, **changes: object) -> None:
        """Make a full observation, with some of its fields changed."""
        observed = self.lio.observe(frozenset())
        fields = {name: getattr(observed, name) for name in observed.__struct_fields__}
        self.hosts = observe_hosts(self.hosts, Observed(**{**fields, **changes}))

    def may_hold(self) -> set[str]:
        """Return the initiators that may hold devices of the target."""
        return {name for name in (H, G) if self.hosts.may_hold(T, name)}


def test_nobody_was_ever_logged_in() -> None:
    """A target without a login since it was made has no hosts."""
    assert Node().may_hold() == set()


def test_a_logout_is_known() -> None:
    """As many sessions ended as initiators asked for: the host that is gone was logged out."""
    node = Node()
    for name in (H, G):
        node.lio.log_in(T, name)
    node.observe()
    assert node.may_hold() == {H, G}
    node.lio.log_out(T, H)
    node.observe()
    assert node.may_hold() == {G}


def test_a_login_and_logout_between_two_observations_leave_nothing() -> None:
    """All logins since the last observation ended by a logout, whoever it was."""
    node = Node()
    node.lio.log_in(T, H)
    node.lio.log_out(T, H)
    node.observe()
    assert node.may_hold() == set()


def test_a_lost_session_is_no_logout() -> None:
    """Nor is one for which another host logs out in the same time: who it was can't be told apart."""
    node = Node()
    for name in (H, G):
        node.lio.log_in(T, name)
    node.observe()
    node.lio.drop(T, H)
    node.lio.log_out(T, G)
    node.observe()
    assert node.may_hold() == {H, G}
    node.observe()
    assert node.may_hold() == {H, G}


def test_a_host_that_connects_again_can_log_out() -> None:
    """It keeps its ISID, so the logout is that of the lost session, too."""
    node = Node()
    node.lio.log_in(T, H)
    node.observe()
    node.lio.drop(T, H)
    node.observe()
    node.lio.log_in(T, H)
    node.observe()
    assert node.may_hold() == {H}
    node.lio.log_out(T, H)
    node.observe()
    assert node.may_hold() == set()


def test_another_session_of_the_host_may_still_hold() -> None:
    """A lost session is not logged out by the logout of another one of the same host."""
    node = Node()
    node.lio.log_in(T, H, "1")
    node.observe()
    node.lio.drop(T, H, "1")
    node.lio.log_in(T, H, "2")
    node.observe()
    node.lio.log_out(T, H, "2")
    node.observe()
    assert node.may_hold() == {H}


def test_logins_that_nobody_observed_may_be_of_any_initiator() -> None:
    """A login and a loss between two observations leave every initiator with an ACL."""
    node = Node()
    node.lio.log_in(T, G)
    node.lio.drop(T, G)
    node.observe()
    assert node.may_hold() == {H, G}
    node.lio.log_in(T, G)
    node.observe()
    node.lio.log_out(T, G)
    node.observe()
    assert node.may_hold() == {H}


def test_an_observation_that_does_not_show_all_sessions_proves_nothing() -> None:
    """While a session is hidden or ends, no logout counts; then the whole time is judged at once."""
    node = Node()
    node.lio.log_in(T, G)
    node.lio.log_in(T, H)
    node.observe()
    node.lio.log_out(T, G)
    (session,) = node.lio.sessions
    for shown in ((), (replace(session, is_steady=False),)):
        node.observe(sessions=shown)
        assert node.may_hold() == {H, G}
    counters = replace(node.lio.observe(frozenset()).counters[T], is_steady=False)
    node.observe(counters={T: counters})
    assert node.may_hold() == {H, G}
    node.observe()
    assert node.may_hold() == {H}


def test_hidden_logins_may_be_of_any_initiator_until_all_is_shown() -> None:
    """A second session of a host is counted but not shown; after its logout all is known again."""
    node = Node()
    node.lio.log_in(T, H, "1")
    node.lio.log_in(T, H, "2")
    node.observe(sessions=node.lio.sessions[:1])
    assert node.may_hold() == {H, G}
    node.lio.log_out(T, H, "1")
    node.lio.log_out(T, H, "2")
    node.observe()
    assert node.may_hold() == set()


def test_another_kind_of_logout_proves_nothing() -> None:
    """Closing a connection, or recovering one, is no end of a session."""
    node = Node()
    node.lio.log_in(T, H)
    node.observe()
    node.lio.log_out(T, H)
    counters = replace(node.lio.observe(frozenset()).counters[T], abnormal_logouts=1)
    node.observe(counters={T: counters})
    assert node.may_hold() == {H}


def test_without_counters_nobody_is_known_to_be_logged_out() -> None:
    """A kernel that lacks them leaves every initiator, from the first observation on."""
    node = Node()
    node.lio.log_in(T, H)
    node.observe(counters={})
    node.lio.log_out(T, H)
    node.observe(counters={})
    assert node.may_hold() == {H, G}
    assert observe_hosts(Hosts(), node.lio.observe(frozenset())).may_hold(T, H) is False
    without = observe_hosts(Hosts(), replace(node.lio.observe(frozenset()), counters={}))
    assert without.may_hold(T, H)
    assert not without.may_hold(U, H)


@pytest.mark.parametrize("change", ["gone", "made again", "counted anew"])
def test_a_target_that_is_made_again_has_lost_its_sessions(change: str) -> None:
    """What happened before its end was not observed, so any initiator may hold devices of it."""
    node = Node()
    node.lio.log_in(T, H)
    node.observe()
    counters = node.lio.observe(frozenset()).counters[T]
    if change == "gone":
        node.observe(objects={}, sessions=(), counters={})
    elif change == "made again":
        node.observe(
            sessions=(),
            counters={T: replace(counters, incarnation=99, accepts=1, sessions=0, normal_logouts=1)},
        )
    else:
        node.observe(sessions=(), counters={T: replace(counters, accepts=0, sessions=0)})
    assert node.may_hold() == {H, G}
    node.observe(objects={}, sessions=(), counters={})
    assert node.may_hold() == {H, G}


def test_a_reboot_ends_what_was_known() -> None:
    """Sessions of the time before may go on, seen or not."""
    node = Node()
    node.lio.log_in(T, H)
    node.observe()
    after = end_intervals(node.hosts)
    assert (after.intervals, after.may_hold(T, H), after.may_hold(T, G)) == ({}, True, True)
    assert end_intervals(Hosts(suspects={TargetHost(T, H)})).may_hold(T, H)


@pytest.mark.parametrize("target", [T, U])
def test_a_host_whose_acl_is_gone_may_have_logged_in(target: str) -> None:
    """Partial passes made and removed its ACL between two full observations."""
    other = "iqn.2026-01.org.example:other"
    node = Node()
    node.hosts = add_suspects(node.hosts, [TargetHost(target, other), TargetHost(T, H)])
    assert node.hosts.suspects == {TargetHost(target, other)}
    node.lio.log_in(T, other)
    node.lio.drop(T, other)
    node.observe()
    assert node.hosts.may_hold(T, other) is (target == T)
    assert bool(node.hosts.suspects) is (target == U)
    assert add_suspects(node.hosts, [TargetHost(T, H)]) == node.hosts


def test_a_host_of_which_nothing_is_known_leaves_with_its_first_logout() -> None:
    """Such hosts are those of a node that remembers nothing."""
    node = Node()
    node.hosts = add_hosts(node.hosts, [TargetHost(T, H), TargetHost(T, G)])
    node.lio.log_in(T, H)
    node.observe()
    node.lio.log_out(T, H)
    node.observe()
    assert node.may_hold() == {G}
    assert node.hosts.targets == {T}


def test_what_is_remembered_is_bounded() -> None:
    """A host with very many sessions counts as never logged out, and so does what does not fit any more."""
    node = Node()
    for number in range(MAX_ISIDS + 1):
        node.lio.log_in(T, H, str(number))
    node.observe()
    for number in range(MAX_ISIDS + 1):
        node.lio.log_out(T, H, str(number))
    node.observe()
    assert node.hosts.isids[TargetHost(T, H)] == {"many"}
    many = tuple(
        IscsiSession(T, 1, G, LOGGED_IN, "", "1", number, is_steady=False)
        for number in range(1, MAX_BEGAN + 2)
    )
    node.observe(sessions=many)
    assert len(node.hosts.intervals[T].began) == MAX_BEGAN
