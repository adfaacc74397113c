"""The znodes of a floating portal group, on a real server: its lease, its candidates and its ACLs."""

import threading
from contextlib import suppress
from functools import partial

import pytest
from msgspec.structs import replace

from lab import Ensemble
from lab.wait import wait_until
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap
from lunmapd.core.floating.documents import CandidateView, Report, Wish
from lunmapd.core.floating.lease import LeaseRecord, LeaseTimes, owner_record
from lunmapd.store.session import paths
from lunmapd.store.session.errors import StoreError
from lunmapd.store.session.session import Session
from lunmapd.store.tree.floating import UNDECODABLE, UNWRITTEN, LeaseZnode, WatchedGroup, read_lists
from lunmapd.store.tree.own_group import appear, disappear, write_lease, write_report, write_wish
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.plain_client import PlainClient
from support.sessions import Connect, expire
from support.small_map import MAP, T
from support.takeover_map import GROUP as TAKEOVER_GROUP
from support.takeover_map import TAKEOVER

pytestmark = pytest.mark.integration

GROUP = GroupId(T, "gold")
NODES = ("n1", "n2")
MINE = owner_record("n1", "b", LeaseTimes())
THEIRS = owner_record("n2", "c", LeaseTimes())


def with_group(*nodes: str) -> Lunmap:
    """Return the small map with one floating group."""
    group = FloatingGroup(1001, ("10.0.0.50:3260",), nodes, 77)
    return replace(MAP, targets={T: replace(MAP.targets[T], floating={"gold": group})})


def watch(session: Session) -> tuple[WatchedGroup, threading.Event]:
    """Return what reads the group, and the event that its watches set."""
    woken = threading.Event()
    return WatchedGroup(session, GROUP, woken.set), woken


def lease(session: Session) -> LeaseZnode:
    """Read the lease."""
    found = watch(session)[0].read(NODES).lease
    assert found is not None
    return found


def test_a_commit_makes_the_znodes_of_a_group(session: Session) -> None:
    """The lease is not written yet, so that a node that takes it waits for a former owner."""
    assert watch(session)[0].read(NODES).lease is None
    assert not write_report(session, GROUP, "n1", Report("b"))
    assert not appear(session, GROUP, "n1")
    put(session, with_group("n1", "n2"))
    assert (lease(session).record, lease(session).version) == (UNWRITTEN, 0)
    assert read_lists(session) == {f"{T} gold": {"n1", "n2"}}
    assert write_lease(session, GROUP, MINE, 0) == 1
    put(session, with_group("n2", "n3"))
    assert lease(session).record == MINE
    assert read_lists(session) == {f"{T} gold": {"n1", "n2", "n3"}}
    put(session, MAP)
    assert lease(session).record == MINE


def test_a_commit_makes_the_znodes_of_a_takeover_group(session: Session) -> None:
    """Its nodes may write the lease, and they follow from its name, with or without a Lun of the group."""
    assert watch(session)[0].read(NODES).lease is None
    put(session, TAKEOVER)
    assert read_lists(session) == {f"{T} n1,n2": {"n1", "n2"}}
    assert write_lease(session, TAKEOVER_GROUP, MINE, 0) == 1
    put(session, MAP)
    assert read_lists(session) == {f"{T} n1,n2": {"n1", "n2"}}


def test_only_one_of_two_writes_of_a_version_succeeds(session: Session, connect: Connect) -> None:
    """A write names the version that it continues from, and each success has the next version."""
    put(session, with_group(*NODES))
    other = connect()
    assert write_lease(session, GROUP, MINE, 0) == 1
    assert write_lease(other, GROUP, THEIRS, 0) is None
    assert write_lease(session, GROUP, MINE, 1) == 2
    assert write_lease(other, GROUP, THEIRS, 2) == 3
    assert write_lease(session, GROUP, MINE, 2) is None
    assert lease(session).record == THEIRS


def test_each_change_wakes_the_other_nodes(session: Session, connect: Connect) -> None:
    """The lease, the wish, the reports and the sessions of the candidates are watched."""
    put(session, with_group(*NODES))
    group, woken = watch(connect())
    first = group.read(NODES)
    other = connect()
    changes = (
        partial(write_lease, other, GROUP, MINE, 0),
        partial(write_wish, other, GROUP, Wish("n2")),
        partial(write_report, other, GROUP, "n1", Report("b", fit=True)),
        partial(appear, other, GROUP, "n1"),
    )
    for change in changes:
        woken.clear()
        assert change()
        assert woken.wait(60)
        assert group.read(NODES) != first
    assert group.state.lease is not None
    assert (group.state.lease.record, group.state.wish) == (MINE, Wish("n2"))
    assert group.state.candidates["n1"] == CandidateView(Report("b", fit=True), live=True)
    woken.clear()
    expire(other)
    wait_until("the ephemeral of n1 ends", lambda: not group.read(NODES).candidates["n1"].live)


def test_a_znode_that_was_missing_is_read_again(session: Session, connect: Connect) -> None:
    """A node that learns of the group before its znodes exist sees each of them later, and its changes."""
    initialised, _ = watch(connect())
    assert initialised.read(NODES).lease is None
    put(session, with_group(*NODES))
    write_wish(session, GROUP, Wish("n1"))
    write_report(session, GROUP, "n2", Report("b"))
    found = initialised.read(NODES)
    assert found.lease is not None
    assert (found.wish, found.candidates["n2"].report) == (Wish("n1"), Report("b"))
    write_wish(session, GROUP, Wish("n2"))
    wait_until("the wish is seen", lambda: initialised.read(NODES).wish == Wish("n2"))


def test_an_ephemeral_belongs_to_the_present_session(session: Session, connect: Connect) -> None:
    """That of an earlier session of the node is replaced, so its end ends nothing."""
    put(session, with_group(*NODES))
    before, now = connect(), connect()
    assert appear(before, GROUP, "n1")
    assert appear(now, GROUP, "n1")
    before.close()
    assert watch(session)[0].read(NODES).candidates["n1"].live
    disappear(now, GROUP, "n1")
    disappear(now, GROUP, "n1")
    assert not watch(session)[0].read(NODES).candidates["n1"].live


def test_what_is_not_readable_lets_no_node_take_the_group(session: Session) -> None:
    """A record that can't be decoded has an owner whose lease never ends; a report counts as none."""
    put(session, with_group(*NODES))
    with PlainClient(session) as plain:
        for path in (paths.lease_of(GROUP), paths.wish_of(GROUP), paths.candidate_of(GROUP, "n1")):
            plain.set(path, b"garbage")
    state = watch(session)[0].read(NODES)
    assert state.lease is not None
    assert (state.lease.record, state.wish, state.candidates["n1"]) == (UNDECODABLE, Wish(), CandidateView())


def test_a_deleted_lease_is_recognised(session: Session) -> None:
    """A lease that was deleted and made again is of another transaction, though its version is the same."""
    put(session, with_group(*NODES))
    first = lease(session)
    with PlainClient(session) as plain:
        plain.delete(paths.lease_of(GROUP))
    put(session, replace(with_group(*NODES), luns={}))
    again = lease(session)
    assert (again.version, again.record) == (first.version, first.record)
    assert again.created != first.created


def test_renewals_go_on_when_the_leader_is_killed(trio: Ensemble, connect: Connect) -> None:
    """Each acknowledged renewal is one version, whatever was lost, and a stale version never succeeds."""
    session = connect(trio.hosts, timeout=4.0, deadline=3.0)
    initialise(session)
    put(session, with_group(*NODES))
    group, _ = watch(session)
    acknowledged: list[int] = []

    def renew() -> None:
        with suppress(StoreError):
            found = group.read(NODES).lease
            assert found is not None
            if (version := write_lease(session, GROUP, MINE, found.version)) is not None:
                acknowledged.append(version)

    while len(acknowledged) < 3:
        renew()
    trio.leader.kill()
    while len(acknowledged) < 6:
        renew()
    assert acknowledged == sorted(set(acknowledged))
    assert all(write_lease(session, GROUP, THEIRS, version) is None for version in acknowledged[:-1])
    assert lease(session).record in {MINE, LeaseRecord()}
