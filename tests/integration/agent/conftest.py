"""The fleet of the tests of rollouts."""

from pathlib import Path

import pytest

from fakes.clock import Clock
from lunmapd.client import Client
from lunmapd.store.session.session import Session
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
