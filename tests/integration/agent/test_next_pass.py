"""`lunmapd plan` with and without a running daemon: the steps of the next pass, and the held ones."""

from collections.abc import Callable

import pytest
from kazoo.client import KazooClient
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lab import Ensemble
from lab.wait import wait_until
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.daemon_state import DAEMON_FILE
from lunmapd.agent.loop.next_pass import Site, decide_next_pass
from lunmapd.agent.loop.pass_input import NodeUnknownError, NoMapError
from lunmapd.agent.loop.policy import Policy
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.lunmap import Scope, Shared
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import LOGGED_IN, IscsiSession
from lunmapd.core.planning.draining import DRAIN_WINDOW
from lunmapd.core.planning.drift import CLASSES
from lunmapd.service.daemon.preview import Preview, describe
from lunmapd.service.keyfile import read_keys
from lunmapd.store.session.errors import NodeNameTakenError
from lunmapd.store.session.session import Session
from support import small_map
from support.agents import NOWHERE, SELF, AgentFactory, H, T, confirm, is_open, mapped_luns, put_checked
from support.relay import Relay
from support.sessions import Connect

pytestmark = pytest.mark.integration

SHARED = replace(small_map.MAP, luns={"a": replace(small_map.LUN, shared=Shared(Scope.OFF, Scope.OFF))})
TEN, TWO = mapped_luns(*range(10)), mapped_luns(8, 9)
REPORTS = Policy(audit=60.0, report=frozenset(CLASSES))


@pytest.fixture
def site(make_agent: AgentFactory, clock: Clock) -> Site:
    """Give node n1 as `lunmapd plan` finds it."""
    keys = make_agent.directory / "secrets.key"
    return Site("n1", make_agent.directory, Policy(), lambda: read_keys(keys), SELF, clock)


def preview(session: Session, make_agent: AgentFactory, site: Site) -> Preview:
    """Return what `lunmapd plan` prints."""
    return describe(decide_next_pass(site, session, make_agent.kernel))


def stop(make_agent: AgentFactory) -> None:
    """Let the daemon of the node be gone."""
    (make_agent.directory / DAEMON_FILE).unlink()


def executed(plan: Preview) -> list[tuple[str, str]]:
    """Return the steps that a plan says are executed."""
    return [(step.action, step.object) for step in plan.steps if not step.held]


def done(kernel: FakeLio) -> list[tuple[str, str]]:
    """Return the steps that were done since the last call."""
    steps = [(str(step.action), lio_objects.show_key(lio_objects.key_of(step.item))) for step in kernel.done]
    kernel.done.clear()
    return steps


def started(session: Session, make_agent: AgentFactory, policy: Policy, now: Callable[[], float]) -> Agent:
    """Start a daemon with ten Luns, and let it converge."""
    put_checked(session, TEN)
    agent = make_agent(policy=policy, now=now)
    agent.run_cycle()
    make_agent.kernel.done.clear()
    return agent


@pytest.mark.parametrize("runs", [True, False])
def test_a_confirmed_mass_removal_is_planned(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site, *, runs: bool
) -> None:
    """Before the confirmation every step is held; after it the plan is what the daemon does."""
    agent = started(session, make_agent, Policy(audit=60.0), clock)
    put_checked(session, TWO)
    if not runs:
        stop(make_agent)
    before = preview(session, make_agent, site)
    assert before.held.startswith(
        "unless it is confirmed, the daemon would do nothing: the pass would remove 8"
    )
    assert executed(before) == []
    assert {step.why for step in before.steps} == {"the pass is held: see 'lunmapctl confirm'"}
    confirm(session, 2)
    after = preview(session, make_agent, site)
    assert after.held == ""
    agent = agent if runs else make_agent(now=clock)
    agent.run_cycle()
    assert executed(after) == done(make_agent.kernel) != []


def test_an_older_confirmation_is_planned_as_the_daemon_judges_it(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """A confirmation before the running daemon's last pass covers no later removal."""
    agent = started(session, make_agent, Policy(audit=60.0), clock)
    confirm(session, 1)
    put_checked(session, TWO)
    assert preview(session, make_agent, site).held
    assert agent.run_cycle().result is None


def test_an_unreadable_node_is_planned_for(
    session: Session, make_agent: AgentFactory, site: Site, root: str, ensemble: Ensemble
) -> None:
    """The document is reported, everything stays, and other nodes' names are still refused."""
    started(session, make_agent, Policy(audit=60.0), site.now)
    client = KazooClient(ensemble.hosts)
    client.start()
    client.set(f"{root}/nodes/n1", b"garbage")
    client.stop()
    client.close()
    plan = preview(session, make_agent, site)
    failing = {line.object: line.reason for line in plan.failing}
    assert failing["document nodes/n1"] == "DocumentUnreadable"
    assert (plan.steps, plan.exit_code) == ((), 6)
    with pytest.raises(NodeUnknownError, match="the map has no node 'n7'"):
        preview(session, make_agent, site._replace(node="n7"))


def test_isolation_is_planned(
    through: Session, connect: Connect, make_agent: AgentFactory, site: Site, relay: Relay
) -> None:
    """Beside a daemon that is isolated, TPGs are disabled; one that has just started would enable nothing."""
    policy, clock = Policy(isolate_after=20.0, audit=60.0), Clock(1000.0)
    site = site._replace(policy=policy, now=clock)
    agent = make_agent(through, policy=policy, now=clock)
    wait_until("the agent converges", lambda: agent.run_cycle().converged)
    make_agent.kernel.done.clear()
    relay.shut = True
    relay.drop()
    agent.run_cycle()
    nowhere = connect(NOWHERE, deadline=0.2)
    assert executed(preview(nowhere, make_agent, site)) == []
    clock.now += 20.0
    plan = preview(nowhere, make_agent, site)
    assert executed(plan) == [("delete", f"enabled {T} 1")]
    assert plan.notes == ("isolated: ZooKeeper was silent for 20 s, so every TPG is disabled",)
    agent.run_cycle()
    assert done(make_agent.kernel) == executed(plan)
    again = preview(nowhere, make_agent, site)
    assert (again.steps, again.kept_disabled, again.exit_code) == ((), (f"enabled {T} 1",), 6)
    stop(make_agent)
    fresh = preview(nowhere, make_agent, site)
    assert (fresh.steps, fresh.kept_disabled) == ((), (f"enabled {T} 1",))
    assert fresh.notes[0].startswith("ZooKeeper has not answered since the daemon started")


def test_a_back_off_is_planned(session: Session, make_agent: AgentFactory, clock: Clock, site: Site) -> None:
    """A failed step is held until it is due; a new daemon and another map try it at once."""
    agent = started(session, make_agent, Policy(audit=60.0, retry=8.0), clock)
    key: lio_objects.Key = ("storage_object", "l10")
    make_agent.kernel.failures[key] = Failure(Reason.IN_USE, "busy")
    put_checked(session, mapped_luns(*range(11)))
    agent.run_cycle()
    make_agent.kernel.done.clear()
    clock.now += 3
    plan = preview(session, make_agent, site)
    assert executed(plan) == []
    held = {step.object: step.why for step in plan.steps}
    assert held["storage_object l10"] == "busy; it is tried again in 5 s"
    assert held[f"lun {T} 1 l10"] == "waits for storage_object l10"
    agent.run_cycle()
    assert done(make_agent.kernel) == []
    state = make_agent.directory / DAEMON_FILE
    kept = state.read_bytes()
    stop(make_agent)
    assert ("create", "storage_object l10") in executed(preview(session, make_agent, site))
    state.write_bytes(kept)
    put_checked(session, mapped_luns(*range(12)))
    assert ("create", "storage_object l10") in executed(preview(session, make_agent, site))
    clock.now += 5
    assert ("create", "storage_object l10") in executed(preview(session, make_agent, site))


def leaves_drift(plan: Preview, key: lio_objects.Key) -> None:
    """Assert that the plan shows the one step of an object as drift that is left."""
    steps = [step for step in plan.steps if step.object == lio_objects.show_key(key)]
    assert [(step.drift, step.held) for step in steps] == [(True, True)]


def test_a_drain_is_planned_as_far_as_the_daemon_has_come(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """While a host stays the TPG is held; the daemon looks again by itself, and a restart begins anew."""
    put_checked(session, SHARED)
    agent, kernel = make_agent(policy=Policy(audit=60.0), now=clock), make_agent.kernel
    agent.run_cycle()
    kernel.log_in(T, H)
    put_checked(session, small_map.drained(SHARED, "n1"))
    assert agent.pause(agent.run_cycle()) == 1.0
    clock.now += 1.0
    assert agent.pause(agent.run_cycle()) == DRAIN_WINDOW
    held = preview(session, make_agent, site)
    assert [(step.action, "no I/O" in step.why) for step in held.steps] == [("delete", True)]
    kernel.commands[T, H, 3] = 1
    clock.now += DRAIN_WINDOW
    left = preview(session, make_agent, site)
    stop(make_agent)
    assert executed(preview(session, make_agent, site)) == []
    kernel.done.clear()
    agent.run_cycle()
    assert executed(left) == done(kernel) == [("delete", f"enabled {T} 1")]


def test_a_single_pass_waits_for_no_host(session: Session, make_agent: AgentFactory) -> None:
    """`lunmapd --once` drains the node at once: nothing would look again."""
    put_checked(session, SHARED)
    make_agent(is_single=True).run_cycle()
    make_agent.kernel.log_in(T, H)
    put_checked(session, small_map.drained(SHARED, "n1"))
    assert make_agent(is_single=True).run_cycle().converged
    assert not is_open(make_agent.kernel)


def test_drift_is_planned_across_a_change_of_the_map(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """An object removed by hand is left with `report`, also by a pass for another map."""
    agent = started(session, make_agent, REPORTS, clock)
    mapped: lio_objects.Key = ("mapped_lun", T, 1, H, 0)
    del make_agent.kernel.objects[mapped]
    put_checked(session, mapped_luns(*range(11)))
    clock.now += 60
    plan = preview(session, make_agent, site._replace(policy=REPORTS))
    leaves_drift(plan, mapped)
    agent.run_cycle()
    assert executed(plan) == done(make_agent.kernel) != []


def test_the_drift_of_a_held_pass_is_planned(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """While a revision is held, drift is compared with the map before it, from the history."""
    agent = started(session, make_agent, REPORTS, clock)
    put_checked(session, TWO)
    agent.run_cycle()
    mapped: lio_objects.Key = ("mapped_lun", T, 1, H, 9)
    del make_agent.kernel.objects[mapped]
    confirm(session, 2)
    clock.now += 60
    plan = preview(session, make_agent, site._replace(policy=REPORTS))
    leaves_drift(plan, mapped)
    agent.run_cycle()
    assert executed(plan) == done(make_agent.kernel) != []


def test_disruption_is_planned_by_the_settings_of_the_running_daemon(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """A step above `allow` is held, with who is logged in; settings that were not reloaded are named."""
    agent = started(session, make_agent, Policy(audit=60.0, allow=Disruption.NONE), clock)
    make_agent.kernel.sessions = (IscsiSession(T, 1, H, LOGGED_IN),)
    put_checked(session, mapped_luns(*range(1, 10)))
    plan = preview(session, make_agent, site)
    (held,) = [step for step in plan.steps if step.object.startswith("mapped_lun")]
    assert (held.held, held.now, held.initiators) == (True, "data-unreachable", (H,))
    assert held.why.startswith(f"data-unreachable for {H}, logged in now")
    assert plan.notes[0].startswith("the running daemon still uses older settings")
    agent.run_cycle()
    assert executed(plan) == done(make_agent.kernel) == []


def test_a_plan_changes_nothing(session: Session, make_agent: AgentFactory, clock: Clock, site: Site) -> None:
    """Neither the kernel nor a file in the state directory changes."""
    started(session, make_agent, Policy(audit=60.0), clock)
    put_checked(session, TWO)
    files = {path: path.read_bytes() for path in make_agent.directory.iterdir()}
    objects = dict(make_agent.kernel.objects)
    preview(session, make_agent, site)
    assert {path: path.read_bytes() for path in make_agent.directory.iterdir()} == files
    assert make_agent.kernel.objects == objects


def test_a_node_name_in_use_elsewhere_is_named(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """A daemon makes no pass under the name of another machine."""
    started(session, make_agent, Policy(audit=60.0), clock)
    with pytest.raises(NodeNameTakenError, match="give one of the two machines another node name"):
        preview(session, make_agent, site._replace(identity=replace(SELF, machine="m2")))


def test_without_zookeeper_a_snapshot_is_planned_by_its_age(
    session: Session, connect: Connect, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """A running daemon goes on with its map; one that starts now would not follow a map that is too old."""
    started(session, make_agent, Policy(audit=60.0), clock)
    nowhere = connect(NOWHERE, deadline=0.2)
    too_old = Policy(audit=60.0, snapshot_max_age=0.0)
    assert preview(nowhere, make_agent, site._replace(policy=too_old)).source.startswith("the local snapshot")
    stop(make_agent)
    assert preview(nowhere, make_agent, site).daemon == "stopped"
    with pytest.raises(NoMapError, match="snapshot_max_age is 0 s"):
        preview(nowhere, make_agent, site._replace(policy=too_old))


def test_a_key_file_that_is_not_used_is_named(
    session: Session, make_agent: AgentFactory, clock: Clock, site: Site
) -> None:
    """The daemon goes on without keys, and so does the plan."""
    started(session, make_agent, Policy(audit=60.0), clock)
    (make_agent.directory / "secrets.key").write_text("no key")
    (make_agent.directory / "secrets.key").chmod(0o600)
    assert preview(session, make_agent, site).notes[0].startswith("the key file is not used: ")
