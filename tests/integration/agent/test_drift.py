"""Drift: repaired and reported, or reported and left, across changes of the map and restarts."""

import logging

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import CrashedError
from lab import Ensemble
from lab.wait import wait_until
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.base.messages import Message
from lunmapd.core.fleet.status import APPLIED, Standing, standing_of
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession as Login
from lunmapd.core.planning.drift import CLASSES
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, applied, conditions, mapped_luns, message, put_checked, shown
from support.relay import Relay
from support.sessions import Connect

pytestmark = pytest.mark.integration

AUDIT = 60.0
REPAIRS = Policy(audit=AUDIT)
REPORTS = Policy(audit=AUDIT, report=frozenset(CLASSES))
MAP = mapped_luns(*range(10))


@pytest.fixture
def reporting_agent(session: Session, make_agent: AgentFactory, clock: Clock) -> Agent:
    """Give a node with `drift: report` that has applied a map of ten Luns."""
    put_checked(session, MAP)
    found = make_agent(policy=REPORTS, now=clock)
    assert found.run_cycle().converged
    return found


def mapping(make_agent: AgentFactory, name: str) -> lio_objects.MappedLun:
    """Return what shows a Lun to the host."""
    items = (item for item in make_agent.kernel.objects.values() if isinstance(item, lio_objects.MappedLun))
    return next(item for item in items if item.storage_object == name)


def unmap(make_agent: AgentFactory, name: str) -> lio_objects.Key:
    """Remove a mapping of the host from LIO; return the mapping's key."""
    key = lio_objects.key_of(mapping(make_agent, name))
    del make_agent.kernel.objects[key]
    return key


def tpg(make_agent: AgentFactory) -> lio_objects.Tpg:
    """Return the node's TPG."""
    (found,) = (item for item in make_agent.kernel.objects.values() if isinstance(item, lio_objects.Tpg))
    return found


def failing(agent: Agent) -> dict[str, str]:
    """Return what fails, by Lun."""
    return {entry.lun: entry.reason for entry in agent.status.failing}


def test_by_default_it_is_put_right_and_told(
    session: Session, make_agent: AgentFactory, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """The audit finds drift, repairs it, and logs that it was no change of the map."""
    caplog.set_level(logging.INFO)
    put_checked(session, MAP)
    agent = make_agent(policy=REPAIRS, now=clock)
    agent.run_cycle()
    assert not [record for record in caplog.records if "drift" in record.getMessage()]
    key = unmap(make_agent, "l3")
    make_agent.kernel.sessions = (Login(T, 1, H, "LOGGED_IN"),)
    clock.now += AUDIT
    assert agent.run_cycle().converged
    assert key in make_agent.kernel.objects
    (record,) = (record for record in caplog.records if "drift" in record.getMessage())
    assert record.getMessage().endswith("(unit attention, repairs drift)")
    assert record.__dict__["MESSAGE_ID"] == Message.REPAIRED


def test_with_report_it_stays_and_the_map_is_carried_out(
    session: Session, make_agent: AgentFactory, clock: Clock, reporting_agent: Agent
) -> None:
    """Drift is named with its Lun; a new revision is applied except for the drift, also by a partial pass."""
    key = unmap(make_agent, "l3")
    clock.now += AUDIT
    assert not reporting_agent.run_cycle().converged
    assert (conditions(reporting_agent)[APPLIED], failing(reporting_agent)) == ("Drifted", {"l3": "Drifted"})
    assert f"changed outside lunmapd, left unchanged (drift: report): {lio_objects.show_key(key)}" in message(
        reporting_agent, APPLIED
    )
    assert standing_of(reporting_agent.status) is Standing.DEGRADED
    looks = make_agent.kernel.looks
    put_checked(session, mapped_luns(*range(2, 12)))
    reporting_agent.run_cycle()
    assert (make_agent.kernel.looks, applied(reporting_agent)) == (looks, 1)
    assert shown(make_agent.kernel) == {f"l{number}" for number in range(2, 12)} - {"l3"}
    assert failing(reporting_agent) == {"l3": "Drifted"}


def test_what_was_reported_is_repaired_when_the_setting_changes(
    make_agent: AgentFactory, clock: Clock, reporting_agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    """A reload with `repair` repairs drift that was reported, and logs it as drift."""
    caplog.set_level(logging.INFO)
    unmap(make_agent, "l3")
    clock.now += AUDIT
    reporting_agent.run_cycle()
    reporting_agent.adopt(REPAIRS)
    assert reporting_agent.run_cycle().converged
    assert make_agent.serves(MAP)
    assert "repairs drift" in caplog.text


def test_a_lun_that_was_handled_and_changes_in_the_map_is_made_as_the_map_says(
    session: Session, make_agent: AgentFactory, clock: Clock, reporting_agent: Agent
) -> None:
    """A changed Lun with drift is made as the map says before an audit; drift of other Luns stays."""
    changed = replace(MAP.luns["l3"], attributes={"emulate_tpu": 1})
    key = unmap(make_agent, "l3")
    put_checked(session, replace(MAP, luns={**MAP.luns, "l3": changed}))
    reporting_agent.run_cycle()
    (found,) = (item for name, item in make_agent.kernel.objects.items() if name == ("storage_object", "l3"))
    assert isinstance(found, lio_objects.StorageObject)
    assert ("emulate_tpu", "1") in found.attributes
    assert key not in make_agent.kernel.objects
    assert failing(reporting_agent) == {"l3": "Drifted"}
    clock.now += AUDIT
    reporting_agent.run_cycle()
    assert failing(reporting_agent) == {"l3": "Drifted"}


@pytest.mark.parametrize("whole", [True, False], ids=["after an audit", "before it"])
def test_a_restart_in_the_same_boot_knows_it(
    make_agent: AgentFactory, clock: Clock, reporting_agent: Agent, *, whole: bool
) -> None:
    """Drift during the daemon's downtime is found; steps that it had not done are no drift."""
    key = unmap(make_agent, "l3")
    if whole:
        clock.now += AUDIT
        reporting_agent.run_cycle()
    again = make_agent(policy=REPORTS)
    again.run_cycle()
    assert key not in make_agent.kernel.objects
    assert failing(again) == {"l3": "Drifted"}


def test_a_restart_goes_on_with_what_had_failed(
    session: Session, make_agent: AgentFactory, clock: Clock, reporting_agent: Agent
) -> None:
    """Objects that were never made are no drift, after any number of restarts."""
    make_agent.kernel.missing.add("/dev/l10")
    put_checked(session, mapped_luns(*range(11)))
    reporting_agent.run_cycle()
    make_agent.kernel.missing.clear()
    assert make_agent(policy=REPORTS, now=clock).run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def test_an_empty_kernel_after_a_boot_is_no_drift(make_agent: AgentFactory, reporting_agent: Agent) -> None:
    """After a boot all objects are made as the map says, with any setting."""
    assert conditions(reporting_agent)[APPLIED] == "Seen"
    make_agent.kernel.objects.clear()
    assert make_agent(policy=REPORTS, ids=MachineId("m1", "b2")).run_cycle().converged
    assert make_agent.serves(MAP)


def test_a_map_that_changed_meanwhile_is_carried_out_as_a_whole(
    session: Session, make_agent: AgentFactory, reporting_agent: Agent
) -> None:
    """A daemon that was down can't distinguish drift from a new map, so it applies the map as a whole."""
    assert applied(reporting_agent) == 1
    unmap(make_agent, "l3")
    put_checked(session, mapped_luns(*range(11)))
    assert make_agent(policy=REPORTS).run_cycle().converged
    assert make_agent.serves(mapped_luns(*range(11)))


def test_a_tpg_that_was_opened_to_everybody_is_closed(
    make_agent: AgentFactory, clock: Clock, reporting_agent: Agent
) -> None:
    """A TPG in demo mode, which accepts unknown initiators, is closed with any setting."""
    before = tpg(make_agent)
    opened = tuple(
        (name, "1" if name == "generate_node_acls" else value) for name, value in before.attributes
    )
    make_agent.kernel.objects[lio_objects.key_of(before)] = replace(before, attributes=opened)
    clock.now += AUDIT
    assert reporting_agent.run_cycle().converged
    assert tpg(make_agent) == before


def test_what_is_only_reported_is_nothing_to_be_confirmed(
    session: Session, make_agent: AgentFactory, clock: Clock, reporting_agent: Agent
) -> None:
    """Many mappings added by hand cause no hold, and `repair` doesn't remove them without confirmation."""
    first = mapping(make_agent, "l0")
    added = [replace(first, lun=100 + number) for number in range(10)]
    make_agent.kernel.objects |= lio_objects.by_key([*added])
    clock.now += AUDIT
    reporting_agent.run_cycle()
    assert conditions(reporting_agent)[APPLIED] == "Drifted"
    put_checked(session, mapped_luns(*range(11)))
    reporting_agent.run_cycle()
    assert "l10" in shown(make_agent.kernel)
    reporting_agent.adopt(REPAIRS)
    reporting_agent.run_cycle()
    assert conditions(reporting_agent)[APPLIED] == "RemovalHeld"
    assert lio_objects.key_of(added[0]) in make_agent.kernel.objects


@pytest.mark.parametrize("restart", [False, True])
def test_a_repair_that_was_cut_short_is_no_drift(
    session: Session, make_agent: AgentFactory, *, restart: bool
) -> None:
    """Objects that lunmapd removed itself, to recreate a storage object, are made again despite `report`."""
    policy = Policy(report=frozenset(CLASSES) - {"storage_object"})
    put_checked(session, MAP)
    agent = make_agent(policy=policy)
    agent.run_cycle()
    before = make_agent.kernel.objects["storage_object", "l3"]
    assert isinstance(before, lio_objects.StorageObject)
    make_agent.kernel.objects["storage_object", "l3"] = replace(before, path="/dev/other")
    make_agent.kernel.crash_after = 4  # all is gone, and only the storage object is there again
    with pytest.raises(CrashedError):
        agent.run_cycle()
    assert "l3" not in shown(make_agent.kernel)
    if restart:
        agent = make_agent(policy=policy)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    assert make_agent.serves(MAP)


@pytest.mark.parametrize("restart", [False, True])
def test_isolation_closes_and_opens_whatever_the_setting(
    session: Session, ensemble: Ensemble, connect: Connect, make_agent: AgentFactory, *, restart: bool
) -> None:
    """TPGs that an isolated node disabled are enabled again after contact, also by a new daemon."""
    policy = Policy(isolate_after=0.5, report=frozenset(CLASSES))
    put_checked(session, MAP)
    with Relay(ensemble.servers[0].host) as relay:
        through = connect(relay.hosts, timeout=4.0, deadline=0.3)
        agent = make_agent(through, policy=policy)
        wait_until("the agent converges", lambda: agent.run_cycle().converged)
        relay.shut = True
        relay.drop()
        wait_until("the confirmation is read", lambda: _makes(agent, APPLIED) == "Withheld")
        relay.shut = False
        if restart:
            agent = make_agent(through, policy=policy)
        wait_until("the agent converges", lambda: agent.run_cycle().converged)
    assert make_agent.serves(MAP)


def _makes(agent: Agent, kind: str) -> str:
    agent.run_cycle()
    return conditions(agent)[kind]
