"""Nodes that follow: `python -m bench.followers agent|agents|bare HOSTS ROOT NODE[,NODE...]`.

Each prints a line for each revision: one of lunmapd's once it is applied (on the fake LIO), a bare one once
head and the revision are read. `agent` and `bare` are one node, in a process of its own. `agents` are several
nodes of lunmapd in one process, with the settings of the daemon, and with the node's name in each line.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kazoo.client import KazooClient

from fakes.lio import FakeLio
from lunmapd.agent.loop.agent import Agent
from lunmapd.agent.loop.follow import Follower
from lunmapd.agent.loop.node_files import NodeFiles
from lunmapd.agent.loop.policy import Policy
from lunmapd.agent.loop.registration import Registration
from lunmapd.agent.state.claims import Claims
from lunmapd.agent.state.machine_id import MachineId
from lunmapd.agent.state.map_snapshot import LocalSnapshot
from lunmapd.clock import utc_now
from lunmapd.service.settings import Settings
from lunmapd.service.zookeeper import ZooKeeperSettings
from lunmapd.store.session.session import Session
from support.daemon import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kazoo.protocol.states import WatchedEvent

    from lunmapd.agent.loop.report import CycleResult
    from lunmapd.core.fleet.status import NodeStatus

_RARELY = 600.0


def say(revision: int) -> None:
    """Send a line to the parent process."""
    print(revision, flush=True)


def agent(hosts: str, root: str, node: str) -> None:
    """Be a node of lunmapd, until standard input ends."""
    # As in the daemon, a pass between two audits is a partial one.
    policy = Policy(resync=_RARELY, retry=_RARELY, audit=_RARELY)
    with _node(hosts, root, node, policy, say):
        sys.stdin.read()


def agents(hosts: str, root: str, nodes: str) -> None:
    """Be several nodes of lunmapd, until standard input ends."""
    with ExitStack() as stack:
        for node in nodes.split(","):
            policy = Settings(ZooKeeperSettings(()), node).policy()
            stack.enter_context(_node(hosts, root, node, policy, partial(_say_node, node)))
        sys.stdin.read()


def _say_node(node: str, revision: int) -> None:
    # In one call, since the nodes are threads.
    sys.stdout.write(f"{node} {revision}\n")
    sys.stdout.flush()


@contextmanager
def _node(hosts: str, root: str, node: str, policy: Policy, applied: Callable[[int], None]) -> Iterator[None]:
    """Run a node of lunmapd on a fake LIO; `applied` is called with each revision."""

    def note(cycle: CycleResult, _status: NodeStatus, _seconds: float) -> None:
        if cycle.converged and cycle.at is not None:
            applied(cycle.at.revision)

    with tempfile.TemporaryDirectory() as directory, Session(hosts, root, deadline=60.0) as session:
        member = Registration(session, node, MachineId(node, node), utc_now())
        follower = Follower(session, LocalSnapshot(Path(directory)), policy, node=node)
        local = NodeFiles(Claims(Path(directory)))
        with running(Agent(member, follower, FakeLio(), local, policy), note):
            yield


def bare(hosts: str, root: str, _node: str) -> None:
    """Follow with the fewest requests: a watch on head, and a read of the revision that it names."""
    client = KazooClient(hosts)
    client.start(30)
    rung = threading.Semaphore(0)

    def wake(_: WatchedEvent) -> None:
        rung.release()

    reader = threading.Thread(target=_read, args=(client, root, wake, rung), daemon=True)
    reader.start()
    sys.stdin.read()
    client.stop()


def _read(
    client: KazooClient, root: str, wake: Callable[[WatchedEvent], None], rung: threading.Semaphore
) -> None:
    while True:
        revision = client.get(f"{root}/head", watch=wake)[0].decode()
        client.get(f"{root}/{revision}")
        say(int(revision))
        rung.acquire()


if __name__ == "__main__":
    {"agent": agent, "agents": agents, "bare": bare}[sys.argv[1]](*sys.argv[2:])
