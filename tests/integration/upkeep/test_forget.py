"""Retiring a node: its znodes are removed once it serves nothing, and not before."""

import json

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.base.lunmap import Node, NodeState, PortalGroup, Scope, Shared
from lunmapd.core.fleet.status import Live, NodeStatus
from lunmapd.store.commit.send import submit_in_tree
from lunmapd.store.session import paths
from lunmapd.store.session.paths import tree_id
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet, register, write_status
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep import forget as forgetting
from lunmapd.store.upkeep.forget import Forgotten, NodeInUseError, forget
from support.agents import MAP, AgentFactory, T, put_checked
from support.cluster import Ctl
from support.commits import NOW
from support.plain_client import PlainClient
from support.relay import Break, Relay
from support.sessions import Connect

pytestmark = pytest.mark.integration

OTHER = Node(2, ("10.0.0.2:3260",))
ALONE = replace(
    MAP, luns={name: replace(lun, shared=Shared(Scope.OFF, Scope.OFF)) for name, lun in MAP.luns.items()}
)
BOTH = replace(
    ALONE,
    nodes={**MAP.nodes, "n2": OTHER},
    targets={T: replace(MAP.targets[T], nodes={"n1": PortalGroup(1), "n2": PortalGroup(2)})},
)
DRAINED = replace(BOTH, nodes={**MAP.nodes, "n2": replace(OTHER, state=NodeState.DRAINED)})
WITHOUT_PATHS = replace(DRAINED, targets=MAP.targets)
LIVE = Live(machine="m2", boot="b2", version="1", since=NOW)
STATUS = NodeStatus(boot="b2", version="1", time=NOW)


def test_a_node_is_retired_as_the_document_says(
    session: Session, connect: Connect, make_agent: AgentFactory, ctl: Ctl
) -> None:
    """Each missing step (drain, targets, map, stop) refuses it with the next step.

    Then the node is removed.
    """
    put_checked(session, BOTH)
    one, through = make_agent(), connect()
    two = AgentFactory(through, FakeLio(), make_agent.directory / "n2")
    two.directory.mkdir()
    other = two(node="n2", ids=MachineId("m2", "b2"))
    for step in (BOTH, DRAINED, WITHOUT_PATHS):
        put_checked(session, step)
        assert (one.run_cycle().converged, other.run_cycle().converged) == (True, True)
        assert "it is in the map" in ctl("forget", "n2", expect=4).err
    assert not two.kernel.objects
    put_checked(session, ALONE)
    one.run_cycle()
    other.run_cycle()
    assert "stop its daemon first" in ctl("forget", "n2", expect=4).err
    through.close()
    one.run_cycle()
    assert "n2: it is dead and not in the map" in ctl("status", expect=6).out
    said = json.loads(ctl("forget", "n2", "-o", "json").out)
    assert said == {"node": "n2", "last_said": other.status.time}
    assert "n2" not in ctl("status", expect=0).out
    assert ctl("check", expect=0).out.startswith("LUNMAP OK")
    assert "no node 'n2' has registered" in ctl("forget", "n2", expect=1).err


@pytest.mark.parametrize("name", ["", "n2/status", "..", "."])
def test_what_is_no_name_removes_nothing(session: Session, ctl: Ctl, name: str) -> None:
    """A path in place of a name is a node that never registered."""
    with PlainClient(session) as shell:
        shell.create(paths.member_of("n2"), b"")
        shell.create(paths.status_of("n2"), b"garbage")
        assert ctl("forget", name, expect=1).out == ""
        assert shell.children("members/n2") == ["status"]


def test_garbage_is_forgotten_too(session: Session, ctl: Ctl) -> None:
    """Documents of a node may be unreadable, or unknown to this version."""
    with PlainClient(session) as shell:
        shell.create(paths.member_of("n2"), b"")
        shell.create(paths.status_of("n2"), b"garbage")
        shell.create("members/n2/more", b"")
        shell.create("members/n2/more/below", b"")
        assert ctl("forget", "n2").out == "forgot n2\n"
        assert shell.children("members") == []


def test_a_node_that_comes_back_meanwhile_stays(session: Session, connect: Connect) -> None:
    """A node that registered after it was read is not removed, not even when it has left again."""
    found, coming = forgetting._find_member(session, "n2"), connect()
    assert found is None
    register(coming, "n2", LIVE)
    write_status(coming, "n2", STATUS)
    coming.close()
    found, again = forgetting._find_member(session, "n2"), connect()
    assert found is not None
    register(again, "n2", LIVE)
    snapshot = read_tree(session)
    assert not submit_in_tree(session, tree_id(snapshot.cluster, snapshot.incarnation), found[1])
    with pytest.raises(NodeInUseError, match="it is live"):
        forget(session, snapshot, "n2")
    again.close()
    assert not submit_in_tree(session, tree_id(snapshot.cluster, snapshot.incarnation), found[1])
    assert read_fleet(session)["n2"].status == STATUS


@pytest.mark.parametrize("broken", Break)
def test_a_lost_answer_is_no_failure(session: Session, connect: Connect, broken: Break) -> None:
    """Whether the server did it before the connection broke or not, the node is forgotten once."""
    write_status(session, "n2", STATUS)
    with Relay(session.hosts) as relay:
        through = connect(relay.hosts)
        snapshot = read_tree(through)
        relay.next_break = broken
        assert forget(through, snapshot, "n2") == Forgotten("n2", NOW)
        assert relay.next_break is None
    assert not read_fleet(session)


def test_a_tree_of_the_former_schema_is_left_alone(former: Session) -> None:
    """There the former version may be at work: migrate first."""
    assert Ctl(former.hosts, former.root)("forget", "n2", expect=1).err.count("lunmapctl migrate") == 1
