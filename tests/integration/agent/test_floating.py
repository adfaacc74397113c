"""Floating groups of two nodes with a real ZooKeeper: threads, watches and sessions; kernels are fakes."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from msgspec.structs import replace

from fakes.floating import FakeAddresses, FakeTpgs
from lab.wait import wait_until
from lunmapd.agent.floating.group import Edges, Identity, Judgement
from lunmapd.agent.floating.groups import GroupThreads
from lunmapd.agent.floating.stored_group import StoredGroup
from lunmapd.client import Client
from lunmapd.core.base.lunmap import FloatingGroup, GroupId, Lunmap
from lunmapd.store.session.session import Session
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
        store = StoredGroup(self.session.quiet(3.0), group, self.name, wake)
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


def test_a_move_takes_less_than_a_second(session: Session, nodes: list[Node]) -> None:
    """The watches of both nodes carry a wish, a release and a take, back and forth."""
    client = Client(session)
    for node in (nodes[1], nodes[0], nodes[1]):
        began = time.monotonic()
        assert client.move_floating_group(T, "gold", node.name, 10.0) == node.name
        wait_until("the node serves the group", node.serves)
        assert time.monotonic() - began < 1.0
    (line,) = client.floating_groups()
    assert (line.owner, line.wish) == ("n2", "n2")
    assert [each.fit for each in line.nodes] == [True, True]
