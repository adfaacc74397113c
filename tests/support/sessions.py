"""Sessions of the tests: opening, expiry by the server, and the documents that a node registers with."""

import time
from collections.abc import Callable
from typing import TypeVar

from kazoo.client import KazooClient

from lab.wait import PATIENCE
from lunmapd.core.fleet.status import HistoryPoint, Live, NodeStatus
from lunmapd.store.session.errors import UnreachableError
from lunmapd.store.session.session import Session
from support.commits import NOW

T = TypeVar("T")
Connect = Callable[..., Session]
"""Opens a session on the test's chroot."""
LIVE = Live(machine="m1", boot="b1", version="1", since=NOW)
STATUS = NodeStatus(boot="b1", version="1", time=NOW, observed=HistoryPoint("c", 1, "d"))


def expire(session: Session) -> None:
    """Let the server end a session, by opening it a second time and closing it there."""
    victim = session.link.current.client_id
    double = KazooClient(session.hosts, client_id=victim)
    double.start(30)
    double.stop()
    double.close()


def until_reachable(call: Callable[[], T]) -> T:
    """Repeat a call until a session with a short deadline has reached its server, and return the result."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return call()
        except UnreachableError:
            assert time.monotonic() < until, "ZooKeeper was out of reach all the time"
