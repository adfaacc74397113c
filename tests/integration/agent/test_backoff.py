"""Objects that fail: each is tried again ever more seldom, and costs the others nothing meanwhile."""

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lab.wait import wait_until
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.backings import Block
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import APPLIED
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, applied, conditions, confirm, mapped_luns, put_checked, shown
from support.daemon import running
from support.sessions import expire

pytestmark = pytest.mark.integration

RETRY, AUDIT = 5.0, 60.0
POLICY = Policy(audit=AUDIT, retry=RETRY)
MAP = mapped_luns(*range(10))


@pytest.fixture
def failing_agent(session: Session, make_agent: AgentFactory, clock: Clock) -> Agent:
    """Give a node with ten Luns, of which one has no device."""
    put_checked(session, MAP)
    make_agent.kernel.missing.add("/dev/l3")
    found = make_agent(policy=POLICY, now=clock)
    assert not found.run_cycle().converged
    assert reasons(found) == {"l3": "BackingDeviceMissing"}
    make_agent.kernel.looks = 0
    return found


def reasons(agent: Agent) -> dict[str, str]:
    """Return what fails, by Lun."""
    return {entry.lun: entry.reason for entry in agent.status.failing}


def test_others_are_followed_by_their_change_alone(
    session: Session, make_agent: AgentFactory, failing_agent: Agent
) -> None:
    """While a Lun fails, a commit of other Luns causes a partial pass, and the failure stays reported."""
    put_checked(session, mapped_luns(*range(2, 12)))
    cycle = failing_agent.run_cycle()
    assert shown(make_agent.kernel) == {f"l{number}" for number in range(2, 12)} - {"l3"}
    assert (make_agent.kernel.looks, reasons(failing_agent), failing_agent.status.waiting) == (
        0,
        {"l3": "BackingDeviceMissing"},
        2,
    )
    assert not cycle.converged
    assert applied(failing_agent) is None
    assert conditions(failing_agent)[APPLIED] == "Failing"


def test_it_is_tried_when_its_time_has_come(
    make_agent: AgentFactory, clock: Clock, failing_agent: Agent
) -> None:
    """A failed step is retried at growing intervals, at most the audit's, and not before."""
    make_agent.kernel.done.clear()
    for delay in (RETRY, 2 * RETRY, 4 * RETRY):
        clock.now += delay - 0.1
        failing_agent.run_cycle()
        assert make_agent.kernel.looks == 0
        clock.now += 0.1
        failing_agent.run_cycle()
        assert make_agent.kernel.looks == 2
        make_agent.kernel.looks = 0
    make_agent.kernel.missing.clear()
    clock.now += AUDIT
    assert failing_agent.run_cycle().converged
    assert make_agent.serves(MAP)


def test_a_device_that_came_is_taken_at_once(make_agent: AgentFactory, failing_agent: Agent) -> None:
    """An event of udev lets everything be tried."""
    make_agent.kernel.missing.clear()
    failing_agent.try_again()
    assert failing_agent.run_cycle().converged


def test_new_settings_try_at_once(make_agent: AgentFactory, failing_agent: Agent) -> None:
    """So does SIGHUP."""
    make_agent.kernel.missing.clear()
    failing_agent.adopt(POLICY)
    assert failing_agent.run_cycle().converged


def test_a_new_session_tries_at_once(
    session: Session, make_agent: AgentFactory, failing_agent: Agent
) -> None:
    """So does a session that had to be made anew."""
    make_agent.kernel.missing.clear()
    old = session.session_id
    expire(session)
    wait_until("a new session", lambda: session.session_id not in {None, old})
    wait_until("the agent converges", lambda: failing_agent.run_cycle().converged)


def test_a_lun_that_was_put_right_in_the_map_is_tried_at_once(session: Session, failing_agent: Agent) -> None:
    """The path was wrong, the map has another one now."""
    right = replace(MAP.luns["l3"], backing=Block("/dev/right"))
    put_checked(session, replace(MAP, luns={**MAP.luns, "l3": right}), "l3")
    assert failing_agent.run_cycle().converged


def test_a_restart_tries_at_once(make_agent: AgentFactory, failing_agent: Agent) -> None:
    """A delay of the former daemon doesn't apply to the next one."""
    assert reasons(failing_agent)
    make_agent.kernel.missing.clear()
    assert make_agent(policy=POLICY).run_cycle().converged


def test_a_removal_that_failed_stays_decided(
    session: Session, make_agent: AgentFactory, clock: Clock, failing_agent: Agent
) -> None:
    """An override whose step failed is neither asked for again nor a reason for a full pass."""
    gone = next(name for name, item in make_agent.kernel.objects.items() if _shows(item, "l5"))
    make_agent.kernel.failures = {gone: Failure(Reason.IN_USE, "busy")}
    put_checked(session, mapped_luns(*(number for number in range(10) if number != 5)))
    failing_agent.run_cycle()
    assert reasons(failing_agent) == {"l3": "BackingDeviceMissing", "l5": "InUse"}
    make_agent.kernel.looks = 0
    put_checked(session, mapped_luns(*(number for number in range(11) if number != 5)))
    failing_agent.run_cycle()
    assert (
        make_agent.kernel.looks,
        "l10" in shown(make_agent.kernel),
        gone in make_agent.kernel.objects,
    ) == (0, True, True)
    make_agent.kernel.failures, make_agent.kernel.missing = {}, set()
    clock.now += AUDIT
    assert failing_agent.run_cycle().converged


def _shows(item: lio_objects.Object, name: str) -> bool:
    return isinstance(item, lio_objects.MappedLun) and item.storage_object == name


def test_a_held_removal_is_looked_at_ever_more_seldom(session: Session, make_agent: AgentFactory) -> None:
    """A node with a held removal wakes after 5, 10, 20 seconds, and at once when it is confirmed."""
    clock, pauses = Clock(1000.0), []
    put_checked(session, MAP)
    agent = make_agent(policy=POLICY, now=clock)
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1))
    for _ in range(4):
        pauses.append(agent.pause(agent.run_cycle()))
        clock.now += pauses[-1]
    assert pauses == [5.0, 10.0, 20.0, 25.0]
    confirm(session, 2)
    assert agent.run_cycle().converged


def test_the_loop_wakes_when_the_time_has_come(session: Session, make_agent: AgentFactory) -> None:
    """With timers of an hour the failing object alone wakes it."""
    put_checked(session, MAP)
    make_agent.kernel.missing.add("/dev/l3")
    agent = make_agent(policy=Policy(resync=3600.0, audit=3600.0, retry=0.05))
    with running(agent):
        wait_until("an object fails", lambda: bool(agent.status.failing))
        make_agent.kernel.missing.clear()
        wait_until("revision 1 is applied", lambda: applied(agent) == 1)
