"""Backings that are not, or no longer, what was opened: repaired, or reported and left."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.client.fleet import read_with_history
from lunmapd.core.base.backing_read import BackingRead
from lunmapd.core.base.lunmap import Access
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.backing_reads import ReadProblems
from lunmapd.core.node.failure import Failure
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, conditions, failing, mapped_luns, put_checked

LUNMAP = mapped_luns(*range(10))


@pytest.fixture
def converged_agent(session: Session, make_agent: AgentFactory) -> Agent:
    """Return an agent that serves ten Luns."""
    put_checked(session, LUNMAP)
    agent = make_agent()
    assert agent.run_cycle().converged
    return agent


def audit(agent: Agent) -> bool:
    """Make a full pass, as after `resync` seconds; return whether the node has converged."""
    agent.adopt(Policy())
    return agent.run_cycle().converged


def test_a_device_that_returned_is_opened_again_at_the_audit(
    make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """While it is away it is reported; when it is back under other numbers, it is made anew."""
    kernel, before = make_agent.kernel, len(make_agent.kernel.done)
    kernel.missing.add("/dev/l3")
    assert not audit(converged_agent)
    assert failing(converged_agent) == {"storage_object l3": "BackingDeviceMissing"}
    kernel.missing.clear()
    kernel.identities["/dev/l3"], kernel.gone = "l3 again", {"/dev/l3"}
    assert audit(converged_agent)
    assert failing(converged_agent) == {}
    assert len(kernel.done) == before + 6
    assert make_agent.serves(LUNMAP)


def test_other_data_under_a_path_is_reported_until_it_is_put_right(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """Nothing of it changes; other Luns are followed; when the device is back, all is well."""
    kernel, before = make_agent.kernel, len(make_agent.kernel.done)
    kernel.identities["/dev/l3"] = "another disk"
    assert not audit(converged_agent)
    assert failing(converged_agent) == {"storage_object l3": "BackingReplaced"}
    assert len(kernel.done) == before
    put_checked(session, mapped_luns(*range(11)))
    converged_agent.run_cycle()
    assert failing(converged_agent) == {"storage_object l3": "BackingReplaced"}
    assert make_agent.serves(mapped_luns(*range(11)))
    kernel.identities.clear()
    assert audit(converged_agent)


def test_a_lun_on_a_read_only_device_becomes_writable_with_the_device(
    session: Session, make_agent: AgentFactory, converged_agent: Agent
) -> None:
    """It is served for reading; a map that permits writes waits for the device, and nothing is removed."""
    make_agent.kernel.read_only.add("/dev/l10")
    writable = mapped_luns(*range(11))
    lun = writable.luns["l10"]
    maps = tuple(replace(entry, access=Access.READ_ONLY) for entry in lun.maps)
    reading = replace(writable, luns={**writable.luns, "l10": replace(lun, maps=maps)})
    put_checked(session, reading)
    assert converged_agent.run_cycle().converged
    assert make_agent.serves(reading)
    put_checked(session, writable)
    assert not converged_agent.run_cycle().converged
    assert failing(converged_agent) == {"storage_object l10": "BackingReadOnly"}
    assert make_agent.serves(reading)
    make_agent.kernel.read_only.clear()
    assert audit(converged_agent)
    assert make_agent.serves(writable)


class FoundProblems:
    """Reads whose results a test decides."""

    def __init__(self) -> None:
        self.found: dict[str, Failure] = {}
        self.reads: Mapping[str, BackingRead] = {}

    def problems(self) -> ReadProblems:
        """Return what the test put in."""
        return self.found

    def check(self, reads: Mapping[str, BackingRead]) -> None:
        """Remember the reads."""
        self.reads = reads


def test_a_device_that_can_not_be_read_costs_its_lun_the_path(
    session: Session, make_agent: AgentFactory
) -> None:
    """The next status has it and its end, though nothing in the tree or in LIO has changed."""
    put_checked(session, mapped_luns(0, 1))
    reads = FoundProblems()
    make_agent.kernel.sizes |= dict.fromkeys(("/dev/l0", "/dev/l1"), 1 << 20)
    agent = make_agent(policy=Policy(audit=600.0), reads=reads)
    assert agent.run_cycle().converged
    assert {read.path for read in reads.reads.values()} == {"/dev/l0", "/dev/l1"}
    for found, states in (
        ({"l1": Failure(Reason.BACKING_HANGS, "no answer")}, ["ok", "BackingHangs"]),
        ({}, ["ok", "ok"]),
    ):
        reads.found = found
        agent.run_cycle()
        luns = read_with_history(session).lun_paths(datetime.now(UTC))
        assert [lun.paths[0].state for lun in luns] == states
    put_checked(session, mapped_luns(0))
    agent.run_cycle()
    assert list(reads.reads) == ["l0"]


def test_the_backings_of_a_held_node_are_read(session: Session, make_agent: AgentFactory) -> None:
    """Also after a restart, those that the held map removes too."""
    make_agent.kernel.sizes |= {f"/dev/l{number}": 1 << 20 for number in range(10)}
    put_checked(session, mapped_luns(*range(10)))
    make_agent().run_cycle()
    put_checked(session, mapped_luns(0))
    reads = FoundProblems()
    agent = make_agent(reads=reads)
    agent.run_cycle()
    assert conditions(agent)["Applied"] == "RemovalHeld"
    assert reads.reads.keys() == {f"l{number}" for number in range(10)}
