"""The agent between a real ZooKeeper and a strict fake of LIO."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.lio import FakeLio
from lab import Ensemble
from lab.wait import wait_until
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.lunmap import Authentication, Chap, Initiator
from lunmapd.core.base.password import Secret
from lunmapd.core.fleet.status import APPLIED, STORE
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.core.secrets.sealing import Vault
from lunmapd.service.keyfile import add_key, read_keys
from lunmapd.store.session.session import Session
from lunmapd.store.tree.members import read_fleet
from lunmapd.store.tree.read import read_tree
from lunmapd.store.upkeep.init import initialise
from support.agents import MAP, A, AgentFactory, B, H, T, applied, conditions, failing, put_checked
from support.daemon import running
from support.plain_client import PlainClient
from support.sessions import Connect, expire

NO_TIMERS = Policy(resync=3600.0, retry=3600.0)


def test_a_committed_map_is_applied_and_reported(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """One cycle brings the kernel to the map, registers the node, and writes a status with that revision."""
    put_checked(session, MAP)
    agent = make_agent()
    assert agent.run_cycle().converged
    assert kernel.objects == project_map(MAP, "n1", {PORT_ID})
    node = read_fleet(session)["n1"]
    assert node.live is not None
    assert node.live.machine == "m1"
    assert node.status is not None
    assert node.status.applied is not None
    assert node.status.applied.revision == 1


def test_a_second_agent_changes_nothing(session: Session, kernel: FakeLio, make_agent: AgentFactory) -> None:
    """Restarting the daemon does no step in the kernel."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    kernel.done.clear()
    assert make_agent().run_cycle().converged
    assert kernel.done == []


def test_a_status_that_says_the_same_is_not_written(session: Session, make_agent: AgentFactory) -> None:
    """Cycles without a change write nothing to ZooKeeper."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    with PlainClient(session) as shell:
        before = shell.get("members/n1/status")
        agent.run_cycle()
        assert shell.get("members/n1/status") == before


def test_a_key_that_comes_later_opens_the_secrets(
    session: Session, kernel: FakeLio, make_agent: AgentFactory, tmp_path: Path
) -> None:
    """Without the key only the ACL that needs it fails.

    The key file is read again each cycle, and its ids are reported.
    """
    agent, path = make_agent(), tmp_path / "secrets.key"
    key = add_key(path, b"k" * 32)
    vault = Vault(read_tree(session).cluster, read_keys(path))
    password = vault.seal(f"initiators/{H}", "chap", Secret("a password"), b"n" * 12)
    targets = {T: replace(MAP.targets[T], authentication=Authentication.CHAP)}
    put_checked(session, replace(MAP, targets=targets, initiators={H: Initiator("", Chap("bob", password))}))
    path.chmod(0o644)
    assert not agent.run_cycle().converged
    assert [(entry.object.split()[0], entry.reason) for entry in agent.status.failing] == [
        ("acl", "SecretUndecodable")
    ]
    assert agent.status.keys == ()
    assert ("storage_object", "a") in kernel.objects
    path.chmod(0o600)
    assert agent.run_cycle().converged
    assert kernel.objects["acl", T, 1, H] == lio_objects.NodeAcl(
        T, 1, H, lio_objects.ChapCredentials("bob", Secret("a password"))
    )
    status = read_fleet(session)["n1"].status
    assert status is not None
    assert status.keys == (key,)


def test_removals_are_followed(session: Session, kernel: FakeLio, make_agent: AgentFactory) -> None:
    """A map that loses its Luns and targets leaves nothing of them in the kernel."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    put_checked(session, replace(MAP, luns={"a": replace(A, maps=())}))
    agent.run_cycle()
    assert [
        item
        for item in kernel.objects.values()
        if isinstance(item, lio_objects.StorageObject | lio_objects.NodeAcl)
    ] == []
    put_checked(session, replace(MAP, luns={}, targets={}))
    assert agent.run_cycle().converged
    assert kernel.objects == {}


@pytest.mark.parametrize(
    ("obstacle", "reason"), [("claims.json", "ClaimsUnreadable"), ("claims.json.new", "ClaimsUnwritable")]
)
def test_claims_that_cannot_be_kept_withhold_new_targets(
    session: Session, kernel: FakeLio, make_agent: AgentFactory, obstacle: str, reason: str
) -> None:
    """The rest of the map is applied, the status has the reason, and the target is made when they can be."""
    put_checked(session, MAP)
    (make_agent.directory / obstacle).mkdir()
    agent = make_agent(policy=Policy(retry=0.0))
    agent.run_cycle()
    assert conditions(agent)["Applied"] == reason
    assert failing(agent) == {f"target {T}": reason}
    assert {type(step.item) for step in kernel.done} == {lio_objects.StorageObject}
    (make_agent.directory / obstacle).rmdir()
    assert agent.run_cycle().converged


def test_an_unknown_node_changes_nothing(session: Session, kernel: FakeLio, make_agent: AgentFactory) -> None:
    """A node whose name is not in the map leaves LIO as it is, and reports it in its status."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    agent = make_agent(node="n11")
    cycle = agent.run_cycle()
    assert not cycle.converged
    assert conditions(agent)[APPLIED] == "NodeUnknown"
    assert kernel.objects == project_map(MAP, "n1", {PORT_ID})


def test_one_missing_device_harms_only_its_lun(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """The other Luns are served, the status names cause and Lun, and the device is used once it appears."""
    kernel.missing = {"/dev/a"}
    put_checked(session, MAP)
    agent = make_agent()
    assert not agent.run_cycle().converged
    assert {
        item.storage_object for item in kernel.objects.values() if isinstance(item, lio_objects.MappedLun)
    } == {"b"}
    (failing,) = agent.status.failing
    assert (failing.reason, failing.lun, agent.status.waiting, applied(agent)) == (
        "BackingDeviceMissing",
        "a",
        2,
        None,
    )
    kernel.missing = set()
    assert agent.run_cycle().converged
    assert (applied(agent), agent.status.failing) == (1, ())


def test_garbage_in_a_document_takes_nothing_away(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """A Lun whose document was overwritten with garbage stays served and is reported; others still change."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    with PlainClient(session) as shell:
        shell.set("luns/a", b"{garbage")
    agent = make_agent()
    agent.run_cycle()
    assert lio_objects.key_of(lio_objects.TpgLun(T, 1, "a")) in kernel.objects
    assert [failing.reason for failing in agent.status.failing] == ["DocumentUnreadable"]
    unmapped = replace(read_tree(session).lunmap, luns={"b": replace(B, maps=())})
    put_checked(session, unmapped)
    agent.run_cycle()
    assert {item.name for item in kernel.objects.values() if isinstance(item, lio_objects.StorageObject)} == {
        "a"
    }


def test_a_foreign_target_is_left_alone(session: Session, kernel: FakeLio, make_agent: AgentFactory) -> None:
    """A foreign target under a desired name is not touched, and the status gives the reason."""
    kernel.foreign = {T}
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    assert [failing.reason for failing in agent.status.failing] == ["ForeignTarget"]
    assert not any(getattr(item, "iqn", None) == T for item in kernel.objects.values())


def test_a_wiped_tree_removes_nothing(session: Session, kernel: FakeLio, make_agent: AgentFactory) -> None:
    """When the tree is gone the node keeps its last map and reports that there is none."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    with PlainClient(session) as shell:
        for part in ("head", "luns", "targets", "nodes", "initiators", "revisions", "meta"):
            shell.delete(part)
    agent.run_cycle()
    assert kernel.objects == project_map(MAP, "n1", {PORT_ID})
    assert conditions(agent)[STORE] == "NotInitialised"


def test_a_tree_made_anew_removes_nothing(
    session: Session, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """A fresh tree under the same chroot is another cluster's: the node keeps its last map."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    with PlainClient(session) as shell:
        shell.delete("")
    initialise(session)
    agent.run_cycle()
    assert kernel.objects == project_map(MAP, "n1", {PORT_ID})
    assert conditions(agent)[STORE] == "ForeignCluster"


def test_without_zookeeper_the_last_map_is_kept_in_force(
    trio: Ensemble, connect: Connect, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """With all servers dead the node repairs LIO from the last map, and reports the outage afterwards."""
    patient, session = connect(trio.hosts), connect(trio.hosts, timeout=4.0, deadline=2.0)
    initialise(patient)
    put_checked(patient, MAP)
    agent = make_agent(session)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    for server in trio.servers:
        server.kill()
    kernel.objects.clear()
    cycle = agent.run_cycle()
    assert cycle.store_error is not None
    assert kernel.objects == project_map(MAP, "n1", {PORT_ID})
    assert (conditions(agent)[STORE], applied(agent)) == ("Unreachable", 1)
    trio.start()
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    wait_until("the node is registered", lambda: read_fleet(patient)["n1"].live is not None)


def test_the_loop_follows_commits_by_its_watch(
    session: Session, connect: Connect, kernel: FakeLio, make_agent: AgentFactory
) -> None:
    """With timers that never fire, a commit alone makes the loop apply it, and a stop ends it."""
    agent = make_agent(connect(), policy=NO_TIMERS)
    with running(agent):
        put_checked(session, MAP)
        wait_until("revision 1 is applied", lambda: applied(agent) == 1)
        put_checked(session, replace(MAP, luns={"b": B}))
        wait_until("revision 2 is applied", lambda: applied(agent) == 2)
        assert lio_objects.key_of(lio_objects.TpgLun(T, 1, "a")) not in kernel.objects


def test_an_expired_session_is_replaced_at_once(
    session: Session, connect: Connect, make_agent: AgentFactory
) -> None:
    """When the servers expire a node's session, the loop registers the node again at once."""
    mine = connect()
    agent = make_agent(mine, policy=NO_TIMERS)
    with running(agent), PlainClient(session) as shell:
        put_checked(session, MAP)
        wait_until("revision 1 is applied", lambda: applied(agent) == 1)
        old = mine.session_id
        expire(mine)
        wait_until(
            "the node is registered by another session",
            lambda: shell.owner("members/n1/live") not in {None, old},
        )
        put_checked(session, replace(MAP, luns={"b": B}))
        wait_until("revision 2 is applied", lambda: applied(agent) == 2)
