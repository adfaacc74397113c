"""`drain`, `undrain` and `retire` on a real ZooKeeper, with two nodes on fake kernels."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.clock import Clock
from fakes.lio import FakeLio
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.client import Client
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Lun, Lunmap, Node, PortalGroup, Scope, Shared, Target
from lunmapd.core.planning.draining import DRAIN_WINDOW, PATIENCE
from lunmapd.store.session.session import Session
from support.agents import MAP, A, AgentFactory, H, T, is_open, mapped_luns, put_checked
from support.cluster import Ctl
from support.sessions import Connect

pytestmark = pytest.mark.integration

TWO = Lunmap(
    {"a": replace(A, shared=Shared(Scope.OFF, Scope.OFF))},
    {T: Target({"n1": PortalGroup(1), "n2": PortalGroup(2)})},
    MAP.initiators,
    nodes={"n1": Node(1, ("10.0.0.1:3260",)), "n2": Node(2, ("10.0.0.2:3260",))},
)
OWN = Lun(Block("/dev/own"), "c" * 32, nodes=("n1",))


class Nodes:
    """Two nodes that serve TWO, each with a session of its own, and a host that is logged in at both."""

    def __init__(self, connect: Connect, directory: Path) -> None:
        """Start both."""
        self.clock = Clock(1000.0)
        self.sessions = {name: connect() for name in ("n1", "n2")}
        self.kernels = {name: FakeLio() for name in self.sessions}
        self.agents = {}
        for tag, (name, session) in enumerate(self.sessions.items(), 1):
            (directory / name).mkdir()
            factory = AgentFactory(session, self.kernels[name], directory / name)
            identity = MachineId(f"m{tag}", f"b{tag}")
            self.agents[name] = factory(node=name, ids=identity, now=self.clock)
        self.run()
        for tag, kernel in enumerate(self.kernels.values(), 1):
            kernel.log_in(T, H, tag=tag)
        self.run(PATIENCE)

    def run(self, seconds: float = 0.0) -> None:
        """Let both make a full pass, after some time."""
        self.clock.now += seconds
        for agent in self.agents.values():
            agent.run_cycle()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let both make passes beside the test."""
        ended = threading.Event()

        def run() -> None:
            while not ended.wait(0.05):
                self.run()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def stop(self, name: str) -> None:
        """Stop the daemon of a node: its registration goes with its session."""
        del self.agents[name]
        self.sessions[name].close()


@pytest.fixture
def nodes(session: Session, connect: Connect, tmp_path: Path) -> Nodes:
    """Give the two nodes."""
    put_checked(session, TWO)
    return Nodes(connect, tmp_path)


def state(ctl: Ctl, name: str = "n1") -> str:
    """Return the state of a node in the table of `status`."""
    (line,) = (each for each in ctl("status", expect=None).out.splitlines() if each.startswith(f"{name} "))
    return line.split()[1]


def leave(nodes: Nodes) -> None:
    """Let the host leave n1 as it learns of the states, and end its session when the TPG is disabled."""
    kernel = nodes.kernels["n1"]
    nodes.run()
    nodes.run(1.0)
    kernel.commands[T, H, 0] = kernel.commands.get((T, H, 0), 0) + 1
    nodes.run(DRAIN_WINDOW)
    if not is_open(kernel):
        kernel.drop(T, H)
    nodes.run()


def test_a_node_is_drained_and_back(nodes: Nodes, ctl: Ctl) -> None:
    """The sessions end once the host has left; each verb can be repeated, and the wait says what goes on."""
    assert "committed revision 2" in ctl("drain", "n1", "-m", "firmware").out
    nodes.run()
    assert is_open(nodes.kernels["n1"])
    assert (state(ctl), ctl.status()["nodes"]["n1"]["standing"]) == ("drained", "pending")
    waiting = ctl("drain", "n1", "--wait", "0", expect=6)
    assert waiting.out == "nothing to change: the map is at revision 2\n"
    first, second = waiting.err.splitlines()
    assert first.startswith("n1 leads hosts to other paths; drained: ")
    assert second == f"lunmapctl: not drained within 0 seconds: {first}"
    leave(nodes)
    assert not is_open(nodes.kernels["n1"])
    assert ctl("drain", "n1", "--wait", "60").err == "n1 offers nothing now, and has no session\n"
    assert ctl("get", "nodes").out.splitlines()[1].split()[:3] == ["n1", "1", "drained"]
    assert "committed revision 3" in ctl("undrain", "n1").out
    assert "nothing to change" in ctl("undrain", "n1").out
    nodes.run()
    assert is_open(nodes.kernels["n1"])
    assert "'lunmapctl drain NODE'" in ctl("node", "set", "n1", "state=drained", expect=2).err


def test_a_node_that_is_the_only_way_is_not_drained(nodes: Nodes, ctl: Ctl) -> None:
    """The refusal names Lun, host and what helps; nothing is committed without consent."""
    nodes.kernels["n2"].log_out(T, H)
    nodes.run()
    refused = ctl("drain", "n1", expect=6)
    assert refused.err == (
        "lunmapctl: n1 is the only way: a for h, logged in; log it in at n2 first, "
        "or --allow data-unreachable\nlunmapctl: nothing was committed\n"
    )
    assert "n1 is the only way: a for h, logged in" in ctl("plan", "drain", "n1", expect=6).out
    assert "n1 is the only way: a for h, logged in" in ctl("drain", "n1", "-n").err
    nodes.stop("n2")
    nodes.kernels["n1"].log_out(T, H)
    nodes.run()
    dead = ctl("drain", "n1", expect=6).err
    assert "n1 is the only way: a for h, not logged in; bring another path back first: n2 dead" in dead
    assert "committed revision 2" in ctl("drain", "n1", "--allow", "data-unreachable").out


def test_a_node_is_retired_step_by_step(nodes: Nodes, ctl: Ctl) -> None:
    """Each call goes on where the last one ended, until lunmapd has to be stopped."""
    steps, _, plan = ctl("retire", "n1", "-n").out.partition("\n\n")
    assert [line.split()[0] for line in steps.splitlines()] == ["drain", "remove", "remove", "wait", "forget"]
    assert "- nodes/n1\n" in plan
    assert "NODES  STEPS" in plan
    planned = json.loads(ctl("retire", "n1", "-n", "-o", "json").out)
    assert {change["path"] for change in planned["changes"]} >= {"nodes/n1", f"targets/{T}"}
    assert {node["node"]: len(node["steps"]) > 0 for node in planned["nodes"]}["n1"]

    def goes_on(*words: str) -> str:
        return ctl("retire", "n1", "--wait", "0", *words, expect=6).err

    assert "n1 has not applied revision 2 yet" in goes_on()
    leave(nodes)
    assert "n1 has not applied revision 3 yet" in goes_on()
    nodes.run()
    assert nodes.kernels["n1"].objects == {}
    assert (
        "stop it by 'systemctl disable --now lunmapd' there, then repeat 'lunmapctl retire n1'" in goes_on()
    )
    steps, _, plan = ctl("retire", "n1", "-n").out.partition("\n\n")
    assert [line.split()[0] for line in steps.splitlines()] == ["wait", "forget"]
    nodes.stop("n1")
    assert ctl("retire", "n1").out == "n1 is retired and forgotten\n"
    ctl("retire", "n1", expect=2)
    document = json.loads(ctl("get", "-o", "json").out)
    assert (list(document["nodes"]), list(document["targets"][T]["nodes"])) == (["n2"], ["n2"])


def test_a_large_removal_is_confirmed_by_consent(session: Session, nodes: Nodes, ctl: Ctl) -> None:
    """Without --yes nothing but the drain is committed; with it retire confirms what the node holds."""
    shared = TWO.luns["a"].shared
    many = {name: replace(lun, shared=shared) for name, lun in mapped_luns(*range(1, 9)).luns.items()}
    put_checked(session, replace(TWO, luns={**TWO.luns, **many}))
    for kernel in nodes.kernels.values():
        kernel.log_out(T, H)
    nodes.run()
    with nodes.running():
        refused = ctl("retire", "n1", "--wait", "20", expect=6).err
        assert "n1 would remove 9 of 9 mapped LUNs" in refused
        assert "waits for 'lunmapctl confirm': if that is meant, use --yes" in refused
        unfinished = ctl("retire", "n1", "--yes", "--wait", "2", expect=6)
    assert "confirmed the removals up to revision 4\n" in unfinished.out
    assert "\nlunmapctl: lunmapd still runs on n1" in unfinished.err
    assert nodes.kernels["n1"].objects == {}


def test_a_node_with_a_lun_of_its_own_is_not_retired(session: Session, nodes: Nodes, ctl: Ctl) -> None:
    """It is refused before anything is committed."""
    put_checked(session, replace(TWO, luns={**TWO.luns, "own": OWN}))
    nodes.run()
    assert "n1 alone reports own" in ctl("retire", "n1", expect=3).err
    with Client(session) as client:
        assert client.newest() == 2


def test_a_node_that_left_the_map_serves_on(nodes: Nodes, ctl: Ctl) -> None:
    """`status` says so, as long as hosts have sessions there."""
    ctl("node", "remove", "n1", "--yes")
    nodes.run()
    found = ctl("status", expect=6).out
    assert f"n1: it is not in the map and still serves 1 session, of {H}, under nobody's control" in found
