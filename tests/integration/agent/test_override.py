"""Steps that would disturb initiators that are logged in: held, and let pass by an override."""

import pytest
from msgspec.structs import replace

from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.client import Client, InvalidInputError, Note, UnexpectedRevisionError
from lunmapd.clock import utc_now
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Lunmap, Node, NodeState, PortalGroup, Scope, Shared, Target
from lunmapd.core.fleet.status import APPLIED, HistoryPoint, NodeStatus, Standing, standing_of
from lunmapd.core.node.observed import IscsiSession as Login
from lunmapd.core.node.observed import Login as Seen
from lunmapd.store.session.session import Session
from lunmapd.store.tree.read import read_tree
from support.agents import (
    MAP,
    AgentFactory,
    H,
    T,
    applied,
    conditions,
    mapped_luns,
    message,
    put_checked,
    shown,
)
from support.cluster import Ctl

pytestmark = pytest.mark.integration

CAREFUL = Policy(allow=Disruption.SESSION_DROP)
LOGGED_IN = (Login(T, 1, H, "LOGGED_IN"),)


def client(session: Session) -> Client:
    """Return an admin of the tree."""
    return Client(session)


def test_a_lun_in_use_stays_until_its_initiator_is_gone(session: Session, make_agent: AgentFactory) -> None:
    """The unmapping is held for the named initiator until its logout; the rest of the revision is applied."""
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent(policy=CAREFUL)
    agent.run_cycle()
    make_agent.kernel.sessions = LOGGED_IN
    put_checked(session, mapped_luns(2, 3))
    assert not agent.run_cycle().converged
    assert shown(make_agent.kernel) == {"l1", "l2", "l3"}
    assert conditions(agent)[APPLIED] == "Held"
    assert f"data-unreachable for {H}, logged in now" in message(agent, APPLIED)
    assert standing_of(agent.status) is Standing.HELD
    assert {(failing.lun, failing.reason) for failing in agent.status.failing} >= {("l1", "Held")}
    make_agent.kernel.sessions = ()
    assert agent.run_cycle().converged
    assert make_agent.serves(mapped_luns(2, 3))


def test_by_default_the_map_is_carried_out(session: Session, make_agent: AgentFactory) -> None:
    """Without the setting a node applies the map with any initiators logged in."""
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent()
    agent.run_cycle()
    make_agent.kernel.sessions = LOGGED_IN
    put_checked(session, mapped_luns(2))
    assert agent.run_cycle().converged


def test_an_override_lets_a_held_step_pass(session: Session, make_agent: AgentFactory) -> None:
    """An override is a revision, so its author is recorded; the node goes on as soon as it reads it."""
    agent = _held(session, make_agent)
    made = client(session).override("data-unreachable", 60, note=Note("window 7", "ann"))
    assert (made.revision, made.author, made.changes) == (3, "ann", ())
    assert agent.run_cycle().converged
    assert applied(agent) == 3


@pytest.mark.parametrize(
    ("disruption", "seconds"),
    [("session-drop", 60), ("none", 60), ("data-unreachable", -1)],
    ids=["too little", "none", "over"],
)
def test_an_override_is_no_more_than_it_says(
    session: Session, make_agent: AgentFactory, disruption: str, seconds: float
) -> None:
    """Of a lower class, or over: the step stays held."""
    agent = _held(session, make_agent)
    client(session).override(disruption, seconds)
    assert not agent.run_cycle().converged
    assert conditions(agent)[APPLIED] == "Held"


def test_the_next_commit_ends_an_override(session: Session, make_agent: AgentFactory) -> None:
    """The next commit on top of an override ends it."""
    agent = _held(session, make_agent)
    client(session).override("data-unreachable", 60)
    put_checked(session, _with_alias(session))
    assert read_tree(session).allowance is None
    assert not agent.run_cycle().converged


def test_an_override_is_for_what_was_looked_at(session: Session, make_agent: AgentFactory) -> None:
    """It is refused if a newer revision than the expected one exists, and for nodes that don't exist."""
    _held(session, make_agent)
    with pytest.raises(UnexpectedRevisionError):
        client(session).override("data-unreachable", 60, note=Note(expect=1))
    with pytest.raises(InvalidInputError, match="no such node"):
        client(session).override("data-unreachable", 60, ("n9",))
    with pytest.raises(InvalidInputError, match="is none of none, unit-attention"):
        client(session).override("all", 60)
    assert read_tree(session).revision == 2


def test_a_restarted_node_knows_of_an_override_and_of_its_end(
    session: Session, make_agent: AgentFactory
) -> None:
    """An override is read with the map, and with the local snapshot it lasts no longer than it was set."""
    _held(session, make_agent)
    client(session).override("data-unreachable", 60)
    assert make_agent(policy=CAREFUL).run_cycle().converged


@pytest.mark.parametrize("there", [True, False])
def test_another_node_is_a_way_out_for_who_is_logged_in_there(
    session: Session, make_agent: AgentFactory, *, there: bool
) -> None:
    """Draining a node ends its sessions only if the initiator reaches the same Luns at another node."""
    put_checked(session, _two_nodes())
    agent = make_agent(policy=CAREFUL)
    agent.run_cycle()
    make_agent.kernel.sessions = LOGGED_IN
    other = Registration(session, "n2", MachineId("m2", "b2"), utc_now())
    other.register()
    at, logins = HistoryPoint("c", 1, "d"), (Seen(T, H),) if there else ()
    other.report(NodeStatus("b2", "1", utc_now(), at, at, logins=logins))
    drained = _two_nodes()
    put_checked(
        session,
        replace(
            drained, nodes={**drained.nodes, "n1": replace(drained.nodes["n1"], state=NodeState.DRAINED)}
        ),
    )
    agent.run_cycle()
    assert conditions(agent)[APPLIED] == ("Draining" if there else "Held")


def test_overrides_are_told_of(session: Session, make_agent: AgentFactory) -> None:
    """The command line makes one, and the log and the revision show it."""
    _held(session, make_agent)
    ctl = Ctl(session.hosts, session.root)
    assert (
        ctl("override", "path-loss", "--for", "5", "--node", "n1", "-m", "why").out
        == "committed revision 3\n"
    )
    assert "allows=path-loss" in ctl("log").out
    assert "allows   path-loss until 2" in ctl("show", "3").out
    assert " on n1\n" in ctl("show", "3").out
    assert '"disruption": "path-loss"' in ctl("show", "3", "-o", "json").out
    assert "is not one of" in ctl("override", "everything", expect=2).err


def _held(session: Session, make_agent: AgentFactory) -> Agent:
    put_checked(session, mapped_luns(1, 2))
    agent = make_agent(policy=CAREFUL)
    agent.run_cycle()
    make_agent.kernel.sessions = LOGGED_IN
    put_checked(session, mapped_luns(2))
    assert not agent.run_cycle().converged
    return agent


def _with_alias(session: Session) -> Lunmap:
    lunmap = read_tree(session).lunmap
    return replace(lunmap, targets={T: replace(lunmap.targets[T], alias="changed")})


def _two_nodes() -> Lunmap:
    lunmap = mapped_luns(1)
    luns = {name: replace(item, shared=Shared(Scope.OFF, Scope.OFF)) for name, item in lunmap.luns.items()}
    nodes = {**MAP.nodes, "n2": Node(2, ("10.0.0.2:3260",))}
    return replace(
        lunmap, luns=luns, targets={T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})}, nodes=nodes
    )
