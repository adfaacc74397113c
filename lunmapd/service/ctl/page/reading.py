"""What the pages show: the cluster as it was read last. It is read when somebody asks, and not more often."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from lunmapd.client import Client, Fleet, Revision
from lunmapd.core.base.errors import LunmapdError
from lunmapd.core.explain.world import World
from lunmapd.service.ctl.text.explanation import world_of
from lunmapd.service.ctl.text.summary import FleetStatus, summary

RECENT = 5
"""The number of revisions on the first page."""
_FRESH = 2.0
_PATIENCE = 4.0
_YOUNG = 30.0


class ClusterReading(NamedTuple):
    """The cluster at a time; `revisions` are the last ones, the newest first.

    `call` are the words that begin a command about this cluster, as a line for a shell.
    """

    fleet: Fleet
    status: FleetStatus
    world: World
    revisions: tuple[Revision, ...]
    at: datetime
    chroot: str
    call: str = "lunmapctl"


class Latest(NamedTuple):
    """The last reading, None before the first.

    `error` is a sentence that states why there is no newer one, "" if this one can be shown as the present.
    """

    reading: ClusterReading | None = None
    error: str = ""


def read_cluster(client: Client, call: str, known: ClusterReading | None = None) -> ClusterReading:
    """Read a cluster; of it only what is new since `known` is read. Raises the errors of the client."""
    fleet = client.fleet(None if known is None else known.fleet)
    revisions = _recent(client, fleet.snapshot.revision, known)
    return reading_of(fleet, revisions, datetime.now(UTC), client.chroot)._replace(call=call)


def reading_of(fleet: Fleet, revisions: tuple[Revision, ...], at: datetime, chroot: str) -> ClusterReading:
    """Return what pages show of a fleet and its last revisions, which were read at a time with a zone."""
    status = summary(fleet, luns=True)
    return ClusterReading(fleet, status, world_of(fleet, status.luns), revisions, at, chroot)


def unreadable(error: LunmapdError) -> str:
    """Return the sentence about an error of a reading, without a full stop."""
    return f"ZooKeeper could not be read: {'; '.join(error.lines)}"


def _recent(client: Client, newest: int, known: ClusterReading | None) -> tuple[Revision, ...]:
    if known is not None and known.revisions and known.revisions[0].revision == newest:
        return known.revisions
    return tuple(islice(client.log(), RECENT))


ReadCluster = Callable[[ClusterReading | None], ClusterReading]


class Readings:
    """Gives the last reading to several threads, and reads again if it is old: one thread at a time.

    A call to ZooKeeper may wait until a server answers, so a thread of its own makes it. A caller waits at
    most `patience` seconds for it, then gets the reading before. A busy machine reads slowly too, so only a
    reading that is older than `young` seconds has an error then.
    """

    def __init__(
        self, read: ReadCluster, fresh: float = _FRESH, patience: float = _PATIENCE, young: float = _YOUNG
    ) -> None:
        """`read` is called with the last reading; one that is younger than `fresh` seconds is not renewed."""
        self._read, self._fresh, self._patience, self._young = read, fresh, patience, young
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._is_reading = False
        self._ended = float("-inf")
        self._latest = Latest()

    def latest(self) -> Latest:
        """Return the cluster as it is now, or as it was with the reason why it can't be read."""
        with self._lock:
            if not self._is_reading and time.monotonic() - self._ended >= self._fresh:
                self._is_reading = True
                self._done = threading.Event()
                threading.Thread(target=self._renew, args=(self._done,), daemon=True).start()
            done = self._done
        is_done = done.wait(self._patience)
        with self._lock:
            latest, age = self._latest, time.monotonic() - self._ended
        if is_done or latest.error or age < self._young:
            return latest
        slow = f"This reading takes more than {self._patience:g} seconds: ZooKeeper or this machine is slow"
        return latest._replace(error=slow)

    def _renew(self, done: threading.Event) -> None:
        before = self._latest.reading
        try:
            latest = Latest(self._read(before))
        except LunmapdError as error:
            latest = Latest(before, unreadable(error))
        except Exception as error:  # noqa: BLE001 - the page shows it, and the next reader tries again
            latest = Latest(before, f"{type(error).__name__}: {error}: a bug of lunmapd; please report it")
        with self._lock:
            self._latest, self._ended, self._is_reading = latest, time.monotonic(), False
        done.set()
