"""Floating groups of two nodes with a real ZooKeeper: threads, watches and sessions; kernels are fakes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from msgspec.structs import replace

from fakes.floating import FakeAddresses, FakeTpgs
from lab import Ensemble
from lab.wait import wait_until
from lunmapd.agent.floating.group import Edges
from lunmapd.agent.floating.groups import GroupThreads
from lunmapd.agent.floating.own_report import Identity, Judgement
from lunmapd.agent.floating.stored_group import StoredGroup
from lunmapd.client import Client
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap
from lunmapd.core.floating.lease import RESTART_LIFETIME, LeaseTimes, before_restart
from lunmapd.core.planning.moving import Others, ServedGroup
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.init import initialise
from support.commits import put
from support.sessions import Connect
from support.small_map import MAP, T

pytestmark = pytest.mark.integration

ADDRESS = "10.0.0.50"
GROUP = FloatingGroup(1001, (f"{ADDRESS}:3260",), ("n1", "n2"), 77)
WITH_GROUP: Lunmap = replace(MAP, targets={T: replace(MAP.targets[T], floating={"gold": GROUP})})
FIT = {GroupId(T, "gold"): Judgement(fit=True, served=1)}


class Node:
    """A node whose groups run in threads."""

    def __init__(self, name: str, session: Session, network: list[FakeAddresses]) -> None:
        self.name, self.session = name, session
        self.addresses, self.tpgs = FakeAddresses(time.monotonic, network), FakeTpgs()
        self.errors: list[Exception] = []
        self.groups = GroupThreads(Identity(name, "b"), self.edges, lambda: None, self.errors.append)
        self.groups.follow(WITH_GROUP)
        self.groups.judge(FIT)

    def edges(self, group: GroupId, wake: Callable[[], None]) -> Edges:
        """Return what a group acts on."""
        store = StoredGroup(self.session.quiet(2.0), group, self.name, wake)
        return Edges(store, self.addresses, self.tpgs, time.monotonic)

    def serves(self) -> bool:
        """Return whether hosts reach the group here."""
        assert self.errors == []
        return self.addresses.has(ADDRESS) and bool(self.tpgs.enabled)


@pytest.fixture
def nodes(session: Session, connect: Connect) -> Iterator[list[Node]]:
    """Give two nodes, of which the first serves the group."""
    put(session, WITH_GROUP)
    network: list[FakeAddresses] = []
    with ExitStack() as stack:
        made = [Node(name, connect(timeout=4.0), network) for name in GROUP.nodes]
        for node in made:
            stack.callback(node.groups.stop)
        wait_until("n1 serves the group", made[0].serves)
        yield made


def test_a_planned_move_waits_for_no_lease(session: Session, nodes: list[Node]) -> None:
    """Watches carry a wish, a release and a take, back and forth, in less time than a lease has."""
    client = Client(session)
    for node in (nodes[1], nodes[0], nodes[1]):
        began = time.monotonic()
        assert client.move_floating_group(T, "gold", node.name, 10.0) == node.name
        wait_until("the node serves the group", node.serves)
        assert time.monotonic() - began < LeaseTimes().milliseconds / 1000
    (line,) = client.floating_groups()
    assert (line.owner, line.wish) == ("n2", "n2")
    assert [each.fit for each in line.nodes] == [True, True]


def test_an_owner_prepares_for_a_restart(nodes: list[Node]) -> None:
    """It extends its lease at once, and the daemon after it keeps the group with the usual one."""
    n1, _ = nodes
    began = time.monotonic()
    n1.groups.outlast_restart(5.0)
    n1.groups.stop()
    assert time.monotonic() - began < 3.0
    assert n1.addresses.until[ADDRESS] > time.monotonic() + RESTART_LIFETIME - 2
    state = StoredGroup(n1.session.quiet(3.0), GroupId(T, "gold"), "n1", lambda: None).read(GROUP.nodes)
    assert state.lease is not None
    assert state.lease.record.lease_ms == before_restart(LeaseTimes()).milliseconds


def test_an_owner_knows_the_revisions_of_the_others(nodes: list[Node]) -> None:
    """Each node reports by which revision it judged itself; only the owner serves the group."""
    n1, n2 = nodes
    behind, ready = (ServedGroup(T, 1001, others) for others in (Others.BEHIND, Others.READY))
    wait_until("n2 is seen", lambda: n1.groups.served(1) == (behind,))
    n2.groups.judge({GroupId(T, "gold"): replace(FIT[GroupId(T, "gold")], revision=1)})
    wait_until("n2 has applied the revision", lambda: n1.groups.served(1) == (ready,))
    assert n2.groups.served(1) == ()


def test_a_silent_server_ends_no_lease(trio: Ensemble, root: str) -> None:
    """The owner leaves it before the kernel removes the addresses, so that no host loses its session."""
    with ExitStack() as stack:

        def connected(hosts: str) -> Session:
            return stack.enter_context(Session(hosts, root, timeout=10.0))

        leader = next(server for server in trio.servers if server.mode() == "leader")
        followers = {server.host: server for server in trio.servers if server is not leader}
        session, own = connected(leader.host), connected(",".join(followers))
        initialise(session)
        put(session, WITH_GROUP)
        network: list[FakeAddresses] = []
        n1, n2 = (
            Node(*each, network) for each in zip(GROUP.nodes, (own, connected(leader.host)), strict=True)
        )
        for node in (n1, n2):
            stack.callback(node.groups.stop)
        wait_until("n1 serves the group", n1.serves)
        silent = followers[own.link.server]
        silent.pause()
        stack.callback(silent.resume)
        until = time.monotonic() + LeaseTimes().total
        while time.monotonic() < until:
            assert n1.serves(), own.link.server
            time.sleep(0.02)
        assert own.link.server != silent.host
