"""The journal's line of each change, with its effect on initiators."""

import logging

import pytest
from msgspec.structs import replace

from lab.wait import wait_until
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.clock import utc_now
from lunmapd.core.base.lunmap import Lunmap, Node, PortalGroup, Scope, Shared
from lunmapd.core.base.messages import Message
from lunmapd.core.fleet.status import STORE, HistoryPoint, NodeStatus
from lunmapd.core.node import lio_objects
from lunmapd.core.node.observed import IscsiSession as Login
from lunmapd.core.node.observed import Login as Seen
from lunmapd.store.session.session import Session
from support.agents import AgentFactory, H, T, conditions, mapped_luns, put_checked
from support.sessions import Connect

pytestmark = pytest.mark.integration

LOGGED_IN = (Login(T, 1, H, "LOGGED_IN"),)
SELDOM = Policy(audit=3600.0)


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def unmapping(caplog: pytest.LogCaptureFixture) -> str:
    """Return what initiators noticed of the removal of a mapped LUN that was logged last."""
    kinds = {Message.CHANGED, Message.REPAIRED}
    changes = [vars(record) for record in caplog.records if vars(record).get("MESSAGE_ID") in kinds]
    removals = [
        change["LUNMAPD_DISRUPTION"]
        for change in changes
        if change["LUNMAPD_ACTION"] == "delete" and change["LUNMAPD_OBJECT"].startswith("mapped_lun")
    ]
    return str(removals[-1])


def test_who_is_logged_in_and_loses_data_is_told(
    session: Session, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """A full pass logs the loss of each logged-in initiator: its data, or nothing if none is logged in."""
    put_checked(session, mapped_luns(0, 1, 2))
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, mapped_luns(0, 1))
    agent.run_cycle()
    assert unmapping(caplog) == "none"
    make_agent.kernel.sessions = LOGGED_IN
    put_checked(session, mapped_luns(0))
    agent.run_cycle()
    assert unmapping(caplog) == "data-unreachable"


@pytest.mark.parametrize(
    ("number", "there", "noticed"),
    [(1, True, "path-loss"), (1, False, "data-unreachable"), (0, True, "data-unreachable")],
    ids=["another way", "no other way", "LUN 0"],
)
@pytest.mark.parametrize("policy", [SELDOM, Policy()], ids=["by the change", "whole"])
def test_another_way_makes_it_a_lost_path(  # noqa: PLR0913 - fixtures
    session: Session,
    make_agent: AgentFactory,
    caplog: pytest.LogCaptureFixture,
    *,
    policy: Policy,
    number: int,
    there: bool,
    noticed: str,
) -> None:
    """A partial pass, which assumes that every initiator is logged in, logs the same as a full pass."""
    put_checked(session, shared(0, 1, 2))
    agent = make_agent(policy=policy)
    make_agent.kernel.sessions = LOGGED_IN
    agent.run_cycle()
    offers(session, logged_in=there)
    make_agent.kernel.looks = 0
    put_checked(session, elsewhere(shared(0, 1, 2), f"l{number}"))
    assert agent.run_cycle().converged
    assert unmapping(caplog) == noticed
    assert (make_agent.kernel.looks == 0) is (policy == SELDOM)


def test_without_zookeeper_other_nodes_are_no_way_out(
    session: Session, connect: Connect, make_agent: AgentFactory, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions at other nodes are unknown then, so a repair that takes a path logs the worst class."""
    put_checked(session, shared(0, 1))
    offers(session, logged_in=True)
    through = connect(deadline=0.5)
    agent = make_agent(through)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    through.close()
    make_agent.kernel.sessions = LOGGED_IN
    del make_agent.kernel.objects["mapped_lun", T, 1, H, 1]
    make_agent.kernel.objects["mapped_lun", T, 1, H, 9] = lio_objects.MappedLun(
        T, 1, H, 9, "l1", write_protect=True
    )
    agent.run_cycle()
    assert conditions(agent)[STORE] == "Unreachable"
    assert unmapping(caplog) == "data-unreachable"


def offers(session: Session, *, logged_in: bool) -> None:
    """Let node n2 live and be in order, with the host logged in there or not."""
    other, at = Registration(session, "n2", MachineId("m2", "b2"), utc_now()), HistoryPoint("c", 1, "d")
    other.register()
    logins = (Seen(T, H),) if logged_in else ()
    other.report(NodeStatus("b2", "1", utc_now(), at, at, logins=logins))


def elsewhere(lunmap: Lunmap, name: str) -> Lunmap:
    """Let n2 alone serve a Lun from now on."""
    return replace(lunmap, luns={**lunmap.luns, name: replace(lunmap.luns[name], nodes=("n2",))})


def shared(*numbers: int) -> Lunmap:
    """Make a map whose Luns two nodes serve."""
    lunmap = mapped_luns(*numbers)
    target = replace(lunmap.targets[T], nodes={"n1": PortalGroup(1), "n2": PortalGroup(2)})
    luns = {name: replace(lun, shared=Shared(Scope.OFF, Scope.OFF)) for name, lun in lunmap.luns.items()}
    nodes = {**lunmap.nodes, "n2": Node(2, ("10.0.0.2:3260",))}
    return replace(lunmap, luns=luns, targets={T: target}, nodes=nodes)
