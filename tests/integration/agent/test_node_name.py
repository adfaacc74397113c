"""Two machines with the same node name."""

import pytest

from fakes.lio import FakeLio
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.fleet.status import STORE
from lunmapd.store.session.session import Session
from support.agents import MAP, AgentFactory, conditions, message, put_checked
from support.plain_client import PlainClient
from support.sessions import Connect

pytestmark = pytest.mark.integration


def test_a_name_that_belongs_to_another_machine_changes_nothing(
    session: Session, connect: Connect, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """A second machine with the name of a live node does no step and does not touch that node's status."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    kernel.objects.clear()
    kernel.done.clear()
    with PlainClient(session) as shell:
        before = shell.get("members/n1/status")
        second = make_agent(connect(), ids=MachineId("m2", "b2"))
        assert type(second.run_cycle().store_error).__name__ == "NodeNameTakenError"
        assert shell.get("members/n1/status") == before
    assert kernel.done == []


def test_a_clone_and_its_original_do_not_take_turns(
    session: Session, connect: Connect, make_agent: AgentFactory, kernel: FakeLio
) -> None:
    """Of two machines with one machine id and name, the first stops and reports it once."""
    put_checked(session, MAP)
    first, clone = make_agent(), make_agent(other := connect(), ids=MachineId("m1", "b2"))
    assert first.run_cycle().converged
    assert clone.run_cycle().converged
    kernel.done.clear()
    for _ in range(2):
        assert not first.run_cycle().converged
        assert conditions(first)[STORE] == "NodeNameTaken"
        assert "machine-id" in message(first, STORE)
        assert clone.run_cycle().converged
    assert kernel.done == []
    other.close()
    assert first.run_cycle().converged
