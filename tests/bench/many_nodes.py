"""A hundred nodes beside three, at the same Luns: a commit, a restart of all servers, and the status."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from statistics import median
from typing import IO, TYPE_CHECKING, NamedTuple, Self

from msgspec.structs import replace

from bench.figure import AtMost, Figure, Measured, seconds, times_bare
from bench.tree import HOST, TARGET, ensemble, grown, lun_name, luns, terms, tree
from lab.wait import PATIENCE
from lunmapd.client import Client
from lunmapd.core.base.lunmap import Lunmap, Map, Node, PortalGroup, Target
from lunmapd.core.base.reasons import Reason
from lunmapd.core.fleet.status import (
    APPLIED,
    HistoryPoint,
    Live,
    NodeStatus,
    true_condition,
    update_condition,
)
from lunmapd.service.ctl.text.summary import all_well, summary
from lunmapd.service.zookeeper import ZooKeeperSettings
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.tree.members import register, write_status
from lunmapd.store.tree.read import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab import Ensemble, Server
    from lunmapd.store.session.session import Session

_LUNS = 10_000
_MANY, _FEW = 100, 3
_IN_ONE_PROCESS = 25
_COMMITS = 9
_STATUSES = 5
_SAMPLE = 1.0  # seconds
_STARTING = 900.0  # seconds
_PER_SECOND = 1000
_TIMEOUT = ZooKeeperSettings(()).session_timeout


def map_of(nodes: int, count: int = _LUNS) -> Lunmap:
    """Make a map of so many Luns; each is served by two of the nodes, which have as many targets."""
    names, plain = _names(nodes), luns(count)
    targets = {
        f"{TARGET}-{number}": Target(
            {names[(number + each) % nodes]: PortalGroup(2 * number + each + 1) for each in (0, 1)}
        )
        for number in range(nodes)
    }
    iqns = tuple(targets)
    shared = {
        name: replace(lun, maps=(Map(iqns[number % nodes], number // nodes, HOST),))
        for number, (name, lun) in enumerate(plain.luns.items())
    }
    given = {name: Node(number, (f"10.0.0.{number}:3260",)) for number, name in enumerate(names, 1)}
    return Lunmap(shared, targets, plain.initiators, nodes=given)


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"n{number}" for number in range(1, count + 1))


@dataclass
class Nodes:
    """Running nodes of one tree, and the revision that each has applied last."""

    session: Session
    names: tuple[str, ...]
    applied: dict[str, int] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def follow(self, output: IO[str]) -> None:
        """Note what the nodes of one process print, until it ends."""
        for line in output:
            node, revision = line.split()
            with self.changed:
                self.applied[node] = int(revision)
                self.changed.notify_all()

    def wait(self, revision: int, patience: float = PATIENCE) -> None:
        """Wait until all nodes have applied the revision."""
        with self.changed:
            done = self.changed.wait_for(lambda: not self._behind(revision), patience)
        assert done, f"{self._behind(revision)} nodes have not applied revision {revision}"

    def _behind(self, revision: int) -> int:
        return len(self.names) - sum(each >= revision for each in self.applied.values())

    def commit(self, number: int) -> float:
        """Change one Lun; returns the seconds until all nodes have applied that."""
        known = read_tree(self.session)
        began = time.monotonic()
        made = edit(self.session, known, partial(grown, name=lun_name(number)), terms())
        assert made is not None
        self.wait(made.revision.revision)
        return time.monotonic() - began


@contextmanager
def running(session: Session, servers: Ensemble, lunmap: Lunmap, count: int) -> Iterator[Nodes]:
    """Commit a map, and run the first `count` of its nodes."""
    made = commit(session, read_tree(session), lunmap, terms())
    assert made is not None
    nodes = Nodes(session, _names(count))
    with ExitStack() as stack:
        for start in range(0, count, _IN_ONE_PROCESS):
            names = ",".join(nodes.names[start : start + _IN_ONE_PROCESS])
            command = (sys.executable, "-m", "bench.followers", "agents", servers.hosts, session.root, names)
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(_end, process)
            assert process.stdout is not None
            threading.Thread(target=nodes.follow, args=(process.stdout,), daemon=True).start()
        nodes.wait(made.revision, _STARTING)
        yield nodes


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()


class Load:
    """The most requests in a second that any server got, from `start` to `stop`."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.most = 0.0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._sample, args=(each,)) for each in servers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _sample(self, server: Server) -> None:
        # A server that starts again counts from 0.
        before, at = 0, time.monotonic()
        while not self._stopped.wait(_SAMPLE):
            found = re.search(r"zk_packets_received\s+(\d+)", server.ask("mntr"))
            count, now = int(found[1]) if found else 0, time.monotonic()
            if count >= before:
                self.most = max(self.most, (count - before) / (now - at))
            before, at = count, now


class Herd(NamedTuple):
    """What many nodes do beside few: the times in seconds, and the most requests in a second."""

    few: float
    many: float
    back: float
    requests: float


def measure_herd(many: int = _MANY, few: int = _FEW, count: int = _LUNS) -> Herd:
    """Let many nodes and few follow the same map, each in a tree of its own, and restart all servers."""
    lunmap = map_of(many, count)
    with (
        ensemble() as servers,
        tree(servers) as beside,
        tree(servers) as session,
        running(beside, servers, lunmap, few) as three,
        running(session, servers, lunmap, many) as nodes,
    ):
        rounds = [(three.commit(number), nodes.commit(number)) for number in range(_COMMITS)]
        servers.kill()
        with Load(servers.servers) as load:
            servers.start()
            began = time.monotonic()
            nodes.commit(0)
            back = time.monotonic() - began
    alone, together = (median(times) for times in zip(*rounds, strict=True))
    return Herd(alone, together, back, load.most)


_herd = cache(measure_herd)


def _commit() -> Measured:
    found = _herd()
    return times_bare(found.many, found.few, "beside: 3 of the 100 nodes")


def _back() -> Measured:
    found = _herd()
    note = f"in session timeouts of {_TIMEOUT:g} s, from when all servers serve"
    return Measured(found.back / _TIMEOUT, seconds(found.back), note=note)


def _requests() -> Measured:
    found = _herd()
    return Measured(found.requests, f"{found.requests:.0f}/s", note="the busiest second of any server")


def _status() -> Measured:
    with ensemble(1) as servers, tree(servers) as few, tree(servers) as many:
        for session, count in ((few, _FEW), (many, _MANY)):
            commit(session, read_tree(session), map_of(count), terms())
            _come(session, _names(count))
        rounds = [(_seconds_of_status(many), _seconds_of_status(few)) for _ in range(_STATUSES)]
    ours, alone = (median(times) for times in zip(*rounds, strict=True))
    return times_bare(ours, alone, "processor time; beside: a map of 3 nodes")


def _come(session: Session, names: Sequence[str]) -> None:
    """Register all nodes, and write a converged status for each."""
    snapshot = read_tree(session)
    now = HistoryPoint(snapshot.cluster, snapshot.revision, snapshot.digest)
    conditions = update_condition((), true_condition(APPLIED, Reason.SEEN, ""), "")
    for name in names:
        register(session, name, Live(name, "b", "1", ""))
        write_status(session, name, NodeStatus("b", "1", "", now, now, conditions))


def _seconds_of_status(session: Session) -> float:
    began = time.process_time()
    assert all_well(summary(Client(session).fleet()))
    return time.process_time() - began


FIGURES = (
    Figure(
        "nodes_100_commit_vs_3", "a commit until 100 nodes have applied it, 10,000 Luns", AtMost(4.0), _commit
    ),
    Figure("nodes_100_back", "a restart of all servers until 100 nodes follow again", AtMost(3.0), _back),
    Figure(
        "nodes_100_requests", "requests in a second that a server gets then", AtMost(_PER_SECOND), _requests
    ),
    Figure(
        "nodes_100_status_vs_3", "the status and the check of 100 nodes, 10,000 Luns", AtMost(1.5), _status
    ),
)
