"""The heartbeat of a converged node, and the report about a silent one."""

import pytest

from fakes.clock import Clock
from lunmapd.agent.loop.registration import Registration
from lunmapd.core.base.errors import Exit
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.store.session import paths
from lunmapd.store.session.session import Session
from support.agents import MAP, SELF, put_checked
from support.cluster import Ctl

pytestmark = pytest.mark.integration

STATUS = NodeStatus("b1", "1", "2026-01-01T00:00:00Z", beat=60.0)


def written(session: Session) -> int:
    """Return how often the status was written again."""
    version: int = session.link.current.get(session.path(paths.status_of("n1")))[1].version
    return version


def test_a_status_is_written_when_it_changes_and_at_each_beat(session: Session) -> None:
    """The same status is not written twice within a heartbeat interval, and is written after it."""
    clock = Clock()
    registration = Registration(session, "n1", SELF, STATUS.time, clock)
    registration.register()
    registration.report(STATUS)
    clock.now = 59.9
    registration.report(STATUS)
    assert written(session) == 0
    clock.now = 60.0
    registration.report(STATUS)
    assert written(session) == 1


def test_a_node_that_lives_and_says_nothing_is_not_well(session: Session) -> None:
    """A session with an overdue heartbeat is a problem of that node, and changes the exit code."""
    put_checked(session, MAP)
    registration = Registration(session, "n1", SELF, STATUS.time)
    registration.register()
    registration.report(STATUS)
    found = Ctl(session.hosts, session.root)("status", expect=None)
    assert found.status == Exit.DEGRADED
    assert "n1: no status since 2026-01-01T00:00:00Z, though one is due every 60 s" in found.out
    assert " unknown " in found.out
