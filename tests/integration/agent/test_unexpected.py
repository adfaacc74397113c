"""Errors that nobody expects: the node reports them and goes on."""

import logging

import pytest

from fakes.lio import FakeLio
from lunmapd.core.base.messages import Message
from lunmapd.core.fleet.status import APPLIED, STORE
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet
from support.agents import MAP, AgentFactory, applied, conditions, message, put_checked

# The second time that a cycle asks for the time, it is about to read.
IN_THE_READ = 2


class BrokenClock:
    """A clock that raises once."""

    def __init__(self) -> None:
        self.calls = 0
        self.breaks_at = 0

    def __call__(self) -> float:
        """Return the time."""
        self.calls += 1
        return 1000.0 / (self.calls != self.breaks_at)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines of unexpected errors in the log, and forget them."""
    lines = [
        record.getMessage()
        for record in caplog.records
        if getattr(record, "MESSAGE_ID", "") == Message.UNEXPECTED
    ]
    caplog.clear()
    return lines


def test_a_bug_in_a_pass_is_a_condition(
    session: Session, kernel: FakeLio, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Its place is in the status, its text and the way to it in the log, once; the next pass tries again."""
    put_checked(session, MAP)
    agent = make_agent()
    kernel.bug = KeyError("a word that only the log has")
    caplog.set_level(logging.ERROR)
    assert not agent.run_cycle().converged
    status = read_fleet(session)["n1"].status
    assert status is not None
    assert status.false_conditions == {APPLIED: "Internal"}
    assert "KeyError at lio.py:" in message(agent, APPLIED)
    assert "a word" not in message(agent, APPLIED)
    lines = logged(caplog)
    assert any("agent.py" in line and "_reconcile" in line for line in lines)
    assert "a word that only the log has" in lines[-1]
    agent.run_cycle()
    assert logged(caplog) == []
    kernel.bug = None
    assert agent.run_cycle().converged
    assert applied(agent) == 1


def test_a_bug_in_a_read_leaves_the_last_map_in_force(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """What was changed by hand is repaired by the last map, while the tree can't be read."""
    clock = BrokenClock()
    put_checked(session, MAP)
    agent = make_agent(now=clock)
    assert agent.run_cycle().converged
    kernel.objects.clear()
    clock.breaks_at = clock.calls + IN_THE_READ
    assert not agent.run_cycle().converged
    assert conditions(agent)[STORE] == "Internal"
    assert "ZeroDivisionError at test_unexpected.py:" in message(agent, STORE)
    assert make_agent.serves(MAP)
    assert agent.run_cycle().converged


def test_a_lack_of_memory_ends_the_process(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """A new process needs less, so the daemon does not go on without."""
    put_checked(session, MAP)
    kernel.bug = MemoryError()
    with pytest.raises(MemoryError):
        make_agent().run_cycle()


def test_a_bug_beside_read_and_pass_is_a_condition_too(session: Session, make_agent: AgentFactory) -> None:
    """Every cycle ends with a status, whatever stage the error is in."""
    clock = BrokenClock()
    put_checked(session, MAP)
    agent = make_agent(now=clock)
    assert agent.run_cycle().converged
    clock.breaks_at = clock.calls + 1
    agent.run_cycle()
    status = read_fleet(session)["n1"].status
    assert status is not None
    assert status.false_conditions == {APPLIED: "Internal"}
    assert agent.run_cycle().converged
