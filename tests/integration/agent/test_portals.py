"""Portals that don't serve: the status reports them and their end, also without any news in the tree."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

import pytest

from lunmapd.agent.loop.policy import Policy
from lunmapd.client.fleet import read_with_history
from lunmapd.core.base.lunmap import Lunmap, Node
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.lio_objects import ChapCredentials
from lunmapd.core.node.portals import PortalProblems
from lunmapd.store.session.session import Session
from support.agents import MAP, AgentFactory, conditions, failing, mapped_luns, put_checked

pytestmark = pytest.mark.integration

OWN, SECOND = "10.0.0.1:3260", "10.1.0.1:3260"
TWO_PORTALS = Lunmap(MAP.luns, MAP.targets, MAP.initiators, MAP.groups, {"n1": Node(1, (OWN, SECOND))})


class FoundProblems:
    """Checks whose results a test decides."""

    def __init__(self) -> None:
        self.found: dict[str, Failure] = {}
        self.checked: AbstractSet[str] = frozenset()

    def problems(self) -> PortalProblems:
        """Return what the test put in."""
        return self.found

    def check(self, portals: AbstractSet[str], credentials: ChapCredentials) -> None:  # noqa: ARG002
        """Remember the portals."""
        self.checked = portals


def _paths(session: Session) -> set[tuple[int, str]]:
    luns = read_with_history(session).lun_paths(datetime.now(UTC))
    return {(lun.usable, lun.paths[0].state) for lun in luns}


def test_a_portal_that_does_not_serve_degrades_its_luns_and_the_last_one_costs_them(
    session: Session, make_agent: AgentFactory
) -> None:
    """Each change of the checks is in the next status, though nothing in the tree or in LIO has changed."""
    put_checked(session, TWO_PORTALS)
    portals = FoundProblems()
    agent = make_agent(policy=Policy(audit=600.0), portals=portals)
    assert agent.run_cycle().converged
    assert portals.checked == {OWN, SECOND}
    missing = Failure(Reason.PORTAL_ADDRESS_MISSING, "no interface has it")
    for found, usable, state in (
        ({SECOND: missing}, 1, "degraded"),
        ({OWN: missing, SECOND: missing}, 0, "PortalAddressMissing"),
        ({}, 1, "ok"),
    ):
        portals.found = found
        agent.run_cycle()
        assert failing(agent) == {f"portal {portal}": "PortalAddressMissing" for portal in found}
        assert conditions(agent)["Applied"] == ("Failing" if found else "Seen")
        assert _paths(session) == {(usable, state)}


def test_the_portals_of_a_held_node_are_checked(session: Session, make_agent: AgentFactory) -> None:
    """Also after a restart: it serves through them until the removal is confirmed."""
    put_checked(session, mapped_luns(*range(10)))
    make_agent().run_cycle()
    put_checked(session, mapped_luns(0))
    portals = FoundProblems()
    agent = make_agent(portals=portals)
    agent.run_cycle()
    assert conditions(agent)["Applied"] == "RemovalHeld"
    assert portals.checked == set(MAP.nodes["n1"].portals)


def test_other_luns_are_followed_by_partial_passes_meanwhile(
    session: Session, make_agent: AgentFactory
) -> None:
    """A portal that fails costs no commit a full observation."""
    put_checked(session, TWO_PORTALS)
    portals = FoundProblems()
    portals.found = {SECOND: Failure(Reason.PORTAL_REFUSED, "refused")}
    agent = make_agent(policy=Policy(audit=600.0, retry=600.0), portals=portals)
    agent.run_cycle()
    agent.run_cycle()
    make_agent.kernel.looks = 0
    less = Lunmap({"a": MAP.luns["a"]}, MAP.targets, MAP.initiators, MAP.groups, TWO_PORTALS.nodes)
    put_checked(session, less)
    agent.run_cycle()
    assert (make_agent.kernel.looks, failing(agent)) == (0, {f"portal {SECOND}": "PortalRefused"})
