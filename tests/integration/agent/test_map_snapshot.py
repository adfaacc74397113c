"""The local snapshot under an agent: restarts without ZooKeeper, and with a replaced or rewound tree."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from lunmapd.agent.loop.follow import Follower
from lunmapd.agent.loop.policy import DAY, Policy
from lunmapd.agent.state.map_snapshot import SNAPSHOT_FILE, LocalSnapshot
from lunmapd.core.fleet.status import ADDRESSES_KEPT, APPLIED, FRESH, KEPT, RESERVATIONS, STORE
from lunmapd.store.session.session import Session
from lunmapd.store.upkeep.init import initialise
from support.agents import MAP, NOWHERE, AgentFactory, applied, conditions, mapped_luns, message, put_checked
from support.plain_client import PlainClient
from support.sessions import Connect

pytestmark = pytest.mark.integration


@pytest.fixture
def cut_off(connect: Connect) -> Session:
    """Give a session that never reaches a server."""
    return connect(NOWHERE, deadline=0.2)


def in_days(days: float) -> Callable[[], float]:
    """Give a wall clock that is so many days ahead."""
    return lambda: time.time() + days * DAY


def reboot(make_agent: AgentFactory) -> None:
    """Empty the kernel, like a reboot."""
    make_agent.kernel.objects.clear()


def test_a_reboot_without_zookeeper_serves_the_last_map(
    session: Session, cut_off: Session, make_agent: AgentFactory
) -> None:
    """With ZooKeeper unreachable at boot the last map is applied, and reported as a snapshot with its age."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    reboot(make_agent)
    agent = make_agent(cut_off, wall=in_days(0.5))
    cycle = agent.run_cycle()
    assert not cycle.converged
    assert make_agent.serves(MAP)
    assert applied(agent) == 1
    assert conditions(agent) == {
        ADDRESSES_KEPT: "Kept", APPLIED: "Seen", FRESH: "FromSnapshot", KEPT: "Kept", RESERVATIONS: "Kept",
        STORE: "Unreachable",
    }  # fmt: skip
    assert "revision 1" in message(agent, FRESH)
    assert "12.0 hours ago" in message(agent, FRESH)


def test_the_newest_revision_is_what_survives(
    session: Session, cut_off: Session, make_agent: AgentFactory
) -> None:
    """Revisions that were read one by one are all in the snapshot."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    later = replace(MAP, luns={"b": MAP.luns["b"]})
    put_checked(session, later)
    agent.run_cycle()
    reboot(make_agent)
    make_agent(cut_off).run_cycle()
    assert make_agent.serves(later)


@pytest.mark.parametrize(("days", "limit"), [(8.0, 7 * DAY), (0.0, 0.0)])
def test_a_snapshot_that_is_too_old_is_not_applied(
    session: Session, cut_off: Session, make_agent: AgentFactory, days: float, limit: float
) -> None:
    """Beyond snapshot_max_age, or with 0, LIO is left as it is until the tree can be read."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    reboot(make_agent)
    agent = make_agent(cut_off, policy=Policy(snapshot_max_age=limit), wall=in_days(days))
    agent.run_cycle()
    assert make_agent.kernel.objects == {}
    assert conditions(agent)[FRESH] == "SnapshotTooOld"
    assert conditions(agent)[APPLIED] == "NoMap"
    assert make_agent().run_cycle().converged
    assert make_agent.serves(MAP)


def test_a_snapshot_that_may_not_get_old_is_fresh_as_long_as_the_daemon_turns(
    session: Session, cut_off: Session, tmp_path: Path, clock: Clock
) -> None:
    """With a small snapshot_max_age a restart right after a read of the tree still has a map."""
    put_checked(session, MAP)
    policy = Policy(snapshot_max_age=90)

    def follower(through: Session) -> Follower:
        return Follower(through, LocalSnapshot(tmp_path, clock), policy, wall=clock, node="n1")

    running = follower(session)
    for _ in range(4):
        assert running.read().error is None
        clock.now += 60
    found = follower(cut_off).read()
    assert found.snapshot is not None
    assert found.snapshot.lunmap == MAP


def test_without_a_snapshot_nothing_is_applied(cut_off: Session, make_agent: AgentFactory) -> None:
    """A new node that can't reach ZooKeeper leaves LIO as it is."""
    agent = make_agent(cut_off)
    agent.run_cycle()
    assert (conditions(agent)[FRESH], conditions(agent)[APPLIED]) == ("NoSnapshot", "NoMap")
    assert make_agent.kernel.done == []


def test_a_damaged_snapshot_is_not_applied(
    session: Session, cut_off: Session, make_agent: AgentFactory
) -> None:
    """A damaged file is put aside and named, not applied, and the tree is followed as without it."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    reboot(make_agent)
    damage(make_agent)
    agent = make_agent(cut_off)
    agent.run_cycle()
    assert make_agent.kernel.objects == {}
    assert conditions(agent)[FRESH] == "SnapshotDamaged"
    assert f"{SNAPSHOT_FILE}.damaged" in message(agent, FRESH)
    assert make_agent().run_cycle().converged
    reboot(make_agent)
    make_agent(cut_off).run_cycle()
    assert make_agent.serves(MAP)


def test_a_clock_that_was_set_back_is_said(
    session: Session, cut_off: Session, make_agent: AgentFactory
) -> None:
    """A snapshot from the future counts as new, since many machines boot with a wrong clock.

    A condition reports it.
    """
    put_checked(session, MAP)
    make_agent().run_cycle()
    reboot(make_agent)
    agent = make_agent(cut_off, wall=in_days(-3000))
    agent.run_cycle()
    assert make_agent.serves(MAP)
    assert "the clock was set back" in message(agent, FRESH)


def test_a_disk_that_refuses_stops_no_pass(session: Session, make_agent: AgentFactory) -> None:
    """If the snapshot can't be written, the map is followed and a condition warns that it would be lost."""
    put_checked(session, MAP)
    agent = make_agent()
    agent.run_cycle()
    (make_agent.directory / SNAPSHOT_FILE).unlink()
    (make_agent.directory / SNAPSHOT_FILE).mkdir()
    later = replace(MAP, luns={"b": MAP.luns["b"]})
    put_checked(session, later)
    assert agent.run_cycle().converged
    assert make_agent.serves(later)
    assert conditions(agent)[KEPT] == "Unwritable"
    (make_agent.directory / SNAPSHOT_FILE).rmdir()
    agent.run_cycle()
    assert conditions(agent)[KEPT] == "Kept"


def wipe(shell: PlainClient) -> None:
    """Remove all of the tree but its root."""
    for part in shell.children(""):
        shell.delete(part)


def make_anew(shell: PlainClient) -> None:
    """Remove the tree and make another."""
    shell.delete("")
    initialise(shell.session)


def damage(make_agent: AgentFactory) -> None:
    """Spoil the local snapshot."""
    path = make_agent.directory / SNAPSHOT_FILE
    path.write_bytes(path.read_bytes().replace(b"/dev/a", b"/dev/x"))


def test_a_node_whose_snapshot_is_damaged_still_knows_its_cluster(
    session: Session, make_agent: AgentFactory
) -> None:
    """The seen file makes a node refuse another cluster's tree, until the snapshot's rest is removed."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    damage(make_agent)
    with PlainClient(session) as shell:
        make_anew(shell)
    put_checked(session, mapped_luns(7, 8))
    for _ in range(2):
        agent = make_agent()
        agent.run_cycle()
        assert conditions(agent)[STORE] == "ForeignCluster"
        assert make_agent.serves(MAP)
    (make_agent.directory / f"{SNAPSHOT_FILE}.damaged").unlink()
    agent = make_agent()
    agent.run_cycle()
    assert conditions(agent)[STORE] == "Read"


def test_a_snapshot_that_was_damaged_once_hinders_nothing(session: Session, make_agent: AgentFactory) -> None:
    """Once the right tree was read, the new snapshot counts.

    A file that was put aside is never read again.
    """
    put_checked(session, MAP)
    make_agent().run_cycle()
    damage(make_agent)
    assert make_agent().run_cycle().converged
    assert make_agent().run_cycle().converged
    (make_agent.directory / SNAPSHOT_FILE).unlink()
    assert make_agent().run_cycle().converged


HARM = [
    (wipe, "NotInitialised"),
    (make_anew, "ForeignCluster"),
    (lambda shell: shell.delete(""), "NotInitialised"),
    (lambda shell: shell.delete("luns"), "Damaged"),
    (lambda shell: shell.delete("meta"), "NotInitialised"),
    (lambda shell: shell.delete("head"), "NotInitialised"),
    (lambda shell: shell.set("meta", b"\xff{garbage"), "Damaged"),
    (lambda shell: shell.set("head", b""), "Damaged"),
    (
        lambda shell: shell.set("head", shell.get("head").replace(b'"revision":2', b'"revision":1')),
        "WentBack",
    ),
    (lambda shell: shell.set("meta", shell.get("meta").replace(b'"schema":2', b'"schema":9')), "NewerSchema"),
    (lambda shell: shell.set("meta", shell.get("meta").replace(b"}", b',"incarnation":1}')), "Restored"),
]


@pytest.mark.parametrize(("harm", "reason"), HARM)
def test_a_tree_that_is_not_what_it_was_freezes_the_node(
    session: Session, make_agent: AgentFactory, harm: Callable[[PlainClient], None], reason: str
) -> None:
    """If the tree is lost or replaced, the last map stays effective, also after a restart.

    The reason is reported.
    """
    put_checked(session, replace(MAP, luns={}))
    put_checked(session, MAP)
    running = make_agent(policy=Policy(full_read=0.0))
    running.run_cycle()
    with PlainClient(session) as shell:
        harm(shell)
    for agent in (running, running, make_agent(), make_agent()):
        reboot(make_agent)
        assert not agent.run_cycle().converged
        assert conditions(agent)[STORE] == reason
        assert make_agent.serves(MAP)


def test_a_frozen_node_follows_a_tree_that_was_mended(session: Session, make_agent: AgentFactory) -> None:
    """When the right tree is back with a newer commit, a frozen and restarted node follows it."""
    put_checked(session, MAP)
    make_agent().run_cycle()
    with PlainClient(session) as shell:
        head = shell.get("head")
        shell.set("head", b"garbage")
        frozen = make_agent()
        frozen.run_cycle()
        shell.set("head", head)
    later = replace(MAP, luns={"b": MAP.luns["b"]})
    put_checked(session, later)
    assert frozen.run_cycle().converged
    assert make_agent.serves(later)
