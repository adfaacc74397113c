"""A node that ZooKeeper can't reach, with and without the setting `isolation`."""

import pytest

from fakes.clock import Clock
from lab.wait import wait_until
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.fleet.status import APPLIED, OFFERED, STORE
from lunmapd.core.node import lio_objects
from lunmapd.store.session.session import Session
from support.agents import MAP, NOWHERE, AgentFactory, conditions, is_open, mapped_luns, put_checked
from support.relay import Relay
from support.sessions import Connect

pytestmark = pytest.mark.integration

AFTER = 2.0
ISOLATES = Policy(isolate_after=AFTER)


def reason(agent: Agent, kind: str) -> str:
    """Make a cycle, and return the reason of a condition after it."""
    agent.run_cycle()
    return conditions(agent).get(kind, "")


def cut(relay: Relay) -> None:
    """Take the way to ZooKeeper away."""
    relay.shut = True
    relay.drop()


def test_an_isolated_node_closes_its_paths_and_opens_them_on_return(
    through: Session, relay: Relay, make_agent: AgentFactory, clock: Clock
) -> None:
    """After the set time without contact no TPG is enabled and all else is kept.

    Contact enables them again.
    """
    agent = make_agent(through, policy=ISOLATES, now=clock)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    assert conditions(agent)[OFFERED] == "Offered"
    cut(relay)
    wait_until("ZooKeeper counts as unreachable", lambda: reason(agent, STORE) == "Unreachable")
    assert conditions(agent)[OFFERED] == "Offered"
    assert is_open(make_agent.kernel)
    clock.now += AFTER
    assert reason(agent, OFFERED) == "Isolated"
    assert not is_open(make_agent.kernel)
    whole = {
        name: item
        for name, item in make_agent.kernel.objects.items()
        if not isinstance(item, lio_objects.Enabled)
    }
    assert conditions(agent)[APPLIED] == "Withheld"
    make_agent.kernel.objects = dict(list(whole.items())[:3])
    agent.run_cycle()
    assert make_agent.kernel.objects == whole
    relay.shut = False
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    assert make_agent.serves(MAP)
    assert conditions(agent)[OFFERED] == "Offered"


def test_without_the_setting_a_node_keeps_serving(
    through: Session, relay: Relay, make_agent: AgentFactory
) -> None:
    """By default the loss of ZooKeeper changes no enablement."""
    agent = make_agent(through)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    cut(relay)
    wait_until("ZooKeeper counts as unreachable", lambda: reason(agent, STORE) == "Unreachable")
    for _ in range(5):
        agent.run_cycle()
    assert make_agent.serves(MAP)
    assert OFFERED not in conditions(agent)


def test_a_node_that_boots_without_contact_gets_ready_behind_closed_doors(
    through: Session, connect: Connect, make_agent: AgentFactory
) -> None:
    """With isolation set, the snapshot is applied but no TPG enabled before ZooKeeper has answered."""
    before = make_agent(through)
    wait_until("the first agent converges", lambda: before.run_cycle().converged)
    make_agent.kernel.objects.clear()
    nowhere = connect(NOWHERE, deadline=0.2)
    agent = make_agent(nowhere, policy=Policy(isolate_after=60.0))
    agent.run_cycle()
    assert conditions(agent)[OFFERED] == "NoContactYet"
    assert any(isinstance(item, lio_objects.MappedLun) for item in make_agent.kernel.objects.values())
    assert not is_open(make_agent.kernel)
    after = make_agent(through, policy=ISOLATES)
    wait_until("the second agent converges", lambda: after.run_cycle().converged)
    assert make_agent.serves(MAP)


def test_a_restarted_daemon_leaves_open_what_is_open(
    through: Session, connect: Connect, make_agent: AgentFactory, clock: Clock
) -> None:
    """With isolation set, a restart without contact closes nothing before the time is over, and then all."""
    before = make_agent(through)
    wait_until("the first agent converges", lambda: before.run_cycle().converged)
    agent = make_agent(connect(NOWHERE, deadline=0.2), policy=ISOLATES, now=clock)
    agent.run_cycle()
    assert make_agent.serves(MAP)
    clock.now += AFTER
    assert reason(agent, OFFERED) == "Isolated"
    assert not is_open(make_agent.kernel)


def test_a_held_node_is_isolated_and_opened_all_the_same(
    session: Session, through: Session, relay: Relay, make_agent: AgentFactory, clock: Clock
) -> None:
    """A hold doesn't keep an isolated node enabled, and isolation doesn't end a hold.

    On return it serves as before.
    """
    put_checked(session, mapped_luns(*range(10)), reuse=("l0", "l1"))
    agent = make_agent(through, policy=ISOLATES, now=clock)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    put_checked(session, mapped_luns(0))
    wait_until("the removal is held", lambda: reason(agent, APPLIED) == "RemovalHeld")
    cut(relay)
    wait_until("ZooKeeper counts as unreachable", lambda: reason(agent, STORE) == "Unreachable")
    clock.now += AFTER
    assert reason(agent, OFFERED) == "Isolated"
    assert not is_open(make_agent.kernel)
    relay.shut = False
    wait_until("the TPGs are enabled again", lambda: reason(agent, OFFERED) == "Offered")
    assert conditions(agent)[APPLIED] == "RemovalHeld"
    assert make_agent.serves(mapped_luns(*range(10)))
