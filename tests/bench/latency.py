"""From a commit until every node has it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import IO, TYPE_CHECKING

from bench.figure import AtMost, Figure, Measured, times_bare
from bench.tree import NODES, bare, ensemble, grown, lun_name, luns, terms, tree
from lab.wait import PATIENCE
from lunmapd.store.commit.commit import commit, edit
from lunmapd.store.tree.read import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kazoo.client import KazooClient

    from lunmapd.store.session.session import Session

_ROUNDS = 30
_LUNS = 100


def _latency() -> Measured:
    with ensemble() as servers, tree(servers) as admin, bare(servers) as client, ExitStack() as stack:
        commit(admin, read_tree(admin), luns(_LUNS), terms())
        client.create("/head", b"0")
        client.create("/0", b"")
        agents = [stack.enter_context(_follower("agent", servers.hosts, admin.root, node)) for node in NODES]
        plain = [stack.enter_context(_follower("bare", servers.hosts, client.chroot, node)) for node in NODES]
        _await(agents, 1)
        _await(plain, 0)
        rounds = [(_commit(admin, agents), _set(client, number, plain)) for number in range(1, _ROUNDS)]
    ours, alone = (median(times) for times in zip(*rounds, strict=True))
    return times_bare(ours, alone, "bare: a multi() until 3 watchers have read head and the revision")


@contextmanager
def _follower(kind: str, hosts: str, root: str, node: str) -> Iterator[IO[str]]:
    command = (sys.executable, "-m", "bench.followers", kind, hosts, root, node)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    hung = threading.Timer(PATIENCE, process.kill)
    hung.start()
    try:
        yield process.stdout
    finally:
        hung.cancel()
        process.stdin.close()
        process.wait(60)


def _await(followers: Sequence[IO[str]], revision: int) -> None:
    """Wait until each follower has printed the revision."""
    for output in followers:
        while (line := output.readline()) != f"{revision}\n":
            assert line, "a follower ended"


def _commit(admin: Session, agents: Sequence[IO[str]]) -> float:
    known = read_tree(admin)
    began = time.monotonic()
    made = edit(admin, known, lambda lunmap: grown(lunmap, lun_name(0)), terms())
    assert made is not None
    _await(agents, made.revision.revision)
    return time.monotonic() - began


def _set(client: KazooClient, number: int, watchers: Sequence[IO[str]]) -> float:
    began = time.monotonic()
    transaction = client.transaction()
    transaction.set_data("/head", str(number).encode())
    transaction.create(f"/{number}", b"x" * 800)
    transaction.commit()
    _await(watchers, number)
    return time.monotonic() - began


FIGURES = (
    Figure(
        "commit_to_applied_vs_bare",
        "a commit until 3 nodes have applied it (to a fake LIO), map of 100 Luns",
        AtMost(2.5),
        _latency,
    ),
)
