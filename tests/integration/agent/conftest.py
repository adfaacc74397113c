"""The fleet of the tests of rollouts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.clock import Clock
from lab import Ensemble
from lunmapd.client import Client
from lunmapd.store.session.session import Session
from support.agents import MAP, put_checked
from support.relay import Relay
from support.sessions import Connect
from support.trying_fleet import Fleet, fleet_map


@pytest.fixture
def fleet(connect: Connect, tmp_path: Path, clock: Clock, session: Session) -> Fleet:
    """Give three nodes that have applied a map with one Lun."""
    Client(session).apply(fleet_map(1))
    made = Fleet(connect, tmp_path, clock)
    made.run()
    assert made.applied() == (1, 1, 1)
    return made


@pytest.fixture
def relay(ensemble: Ensemble) -> Iterator[Relay]:
    """Give the node's only way to ZooKeeper."""
    with Relay(ensemble.servers[0].host) as opened:
        yield opened


@pytest.fixture
def through(session: Session, connect: Connect, relay: Relay) -> Session:
    """Give a session through the relay, to a tree with the map."""
    put_checked(session, MAP)
    return connect(relay.hosts, timeout=4.0, deadline=0.3)
