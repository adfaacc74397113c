"""Many nodes at the same time: all servers are restarted under them."""

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from fakes.lio import FakeLio
from lab import Ensemble
from lab.wait import PATIENCE
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.report import CycleResult
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.core.base.backings import Block
from lunmapd.core.base.lunmap import Initiator, Lun, Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.fleet.status import NodeStatus
from lunmapd.core.node.governed import PORT_ID
from lunmapd.core.node.projection.project_map import project_map
from lunmapd.store.tree.members import read_fleet
from lunmapd.store.upkeep.init import initialise
from support.agents import AgentFactory, H, put_checked
from support.daemon import running
from support.sessions import Connect, until_reachable

pytestmark = pytest.mark.integration

NODES = tuple(f"n{number}" for number in range(1, 21))
TIMEOUT = 6.0


def _map(luns: int) -> Lunmap:
    """Make a map with a target for each node, and so many Luns on each."""
    iqns = {node: f"iqn.2026-01.org.example:{node}" for node in NODES}
    return Lunmap(
        {
            f"{node}-l{number}": Lun(
                Block(f"/dev/{node}-l{number}"),
                f"{tag:04x}{number:04x}" * 4,
                maps=(Map(iqns[node], number, H),),
            )
            for tag, node in enumerate(NODES, 1)
            for number in range(luns)
        },
        {iqns[node]: Target({node: PortalGroup(tag)}) for tag, node in enumerate(NODES, 1)},
        {H: Initiator()},
        nodes={node: Node(tag, (f"10.0.0.{tag}:3260",)) for tag, node in enumerate(NODES, 1)},
    )


class Progress:
    """The revisions that each node reports as applied, in the order of its cycles."""

    def __init__(self) -> None:
        self.applied: dict[str, list[int]] = {node: [] for node in NODES}
        self._changed = threading.Condition()

    def note(self, node: str, cycle: CycleResult) -> None:
        """Note what a cycle has applied."""
        if cycle.converged and cycle.at is not None:
            with self._changed:
                self.applied[node].append(cycle.at.revision)
                self._changed.notify_all()

    def wait(self, revision: int, seconds: float) -> bool:
        """Return whether all nodes apply a revision within so many seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(max(each, default=0) >= revision for each in self.applied.values()), seconds
            )


def test_many_nodes_follow_again_after_a_restart_of_all_servers(
    trio: Ensemble, connect: Connect, tmp_path: Path
) -> None:
    """All nodes apply the next revision within three session timeouts; none goes back to an older one."""
    admin = connect(trio.hosts, timeout=TIMEOUT, deadline=60.0)
    initialise(admin)
    put_checked(admin, _map(1))
    kernels, progress = {node: FakeLio() for node in NODES}, Progress()
    with ExitStack() as stack:
        for node in NODES:
            session = connect(trio.hosts, timeout=TIMEOUT)
            make = AgentFactory(session, kernels[node], tmp_path / node)
            (tmp_path / node).mkdir()
            policy = Policy(audit=60.0, retry=1.0)
            agent = make(node=node, ids=MachineId(node, node), policy=policy)

            def note(cycle: CycleResult, _: NodeStatus, __: float, node: str = node) -> None:
                progress.note(node, cycle)

            stack.enter_context(running(agent, note))
        assert progress.wait(1, PATIENCE)
        trio.kill()
        trio.start()
        until_reachable(lambda: put_checked(admin, _map(2)))
        began = time.monotonic()
        assert progress.wait(2, PATIENCE)
        took = time.monotonic() - began
        fleet = until_reachable(lambda: read_fleet(admin))
    assert took < 3 * TIMEOUT
    assert all(revisions == sorted(revisions) for revisions in progress.applied.values())
    assert {node for node, each in fleet.items() if each.live} == set(NODES)
    assert all(kernels[node].objects == project_map(_map(2), node, {PORT_ID}) for node in NODES)
