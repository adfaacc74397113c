"""When the files and devices behind Luns are read to check them, and what follows from the answers. Pure.

LIO shows an exported device as ready, also one whose reads fail or are never answered. So the node reads the
first and the last block of each file and block device itself. Times are monotonic, in seconds.
"""

import heapq
from collections.abc import Iterable, Mapping

from msgspec import Struct

from lunmapd.core.base.backing_read import BackingKey, BackingRead
from lunmapd.core.base.backings import PluginName
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_facts import HEALTHY
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed

ReadProblems = Mapping[str, Failure]
"""The problems of reading files and devices, by name of the Lun."""

_FILE_BLOCK = 4096  # bytes; the alignment that file systems ask of a direct read (open(2), O_DIRECT)
_SECTOR = 512  # bytes, of a device that shows no block size


class Pace(Struct, frozen=True):
    """How often, and how many.

    `interval`: seconds between two reads of a backing. `confirm`: seconds from a read that failed to the one
    that confirms it. `patience`: seconds without an answer after which a backing counts as hanging.
    `a_second`: backings whose read begins in a second. `hanging`: reads without an answer, with which no
    further one begins.
    """

    interval: float = 60.0
    confirm: float = 2.0
    patience: float = 20.0
    a_second: int = 50
    hanging: int = 100


def find_reads(observed: Observed) -> dict[str, BackingRead]:
    """Return the reads that check the observed files and block devices, by name of the Lun.

    Those whose path does not lead to what LIO has opened are left out: they fail already. So are pscsi
    devices, which may have no medium, and which answer hosts by themselves.
    """
    found: dict[str, BackingRead] = {}
    for name, facts in observed.backings.items():
        item = observed.objects.get(("storage_object", name))
        if not isinstance(item, lio_objects.StorageObject) or facts.name not in HEALTHY:
            continue
        if item.plugin == PluginName.FILEIO:
            found[name] = BackingRead(item.path, "", item.size, _FILE_BLOCK, facts.file)
        elif item.plugin == PluginName.IBLOCK and facts.size:
            found[name] = BackingRead(item.path, facts.device, facts.size, facts.block_size or _SECTOR)
    return found


def read_failures(problems: ReadProblems, observed: lio_objects.Objects) -> dict[lio_objects.Key, Failure]:
    """Return the failures of the observed storage objects that can't be read, by key."""
    return {key: why for lun, why in problems.items() if (key := ("storage_object", lun)) in observed}


class ReadSchedule:
    """Which backings are read when, each by its key, and the problems that were found.

    A backing is never read while an earlier read of it has no answer; another file or device that has come
    under its path is another backing. A read that fails is a problem once a second one has failed too.
    """

    def __init__(self, pace: Pace = Pace()) -> None:  # noqa: B008 - it is frozen
        """Start without backings."""
        self._pace = pace
        self._reads: Mapping[BackingKey, BackingRead] = {}
        self._due: list[tuple[float, BackingKey]] = []
        self._under_way: dict[BackingKey, float] = {}
        self._doubtful: set[BackingKey] = set()
        self._failures: dict[BackingKey, Failure] = {}
        self._second, self._room = 0.0, pace.a_second  # which second it is, and how many may begin in it

    @property
    def is_idle(self) -> bool:
        """Whether every read has been answered."""
        return not self._under_way

    def follow(self, reads: Iterable[BackingRead], now: float) -> None:
        """Read these backings from now on; new ones at once."""
        self._reads = {read.key: read for read in reads}
        queued = {key for _, key in self._due}
        for key in self._reads.keys() - queued - self._under_way.keys():
            self._queue(key, now)
        self._doubtful &= self._reads.keys()
        self._failures = {key: why for key, why in self._failures.items() if key in self._reads}

    def begin(self, now: float) -> list[BackingRead]:
        """Return the reads that begin now."""
        began: list[BackingRead] = []
        if now >= self._second + 1.0:
            self._second, self._room = now, self._pace.a_second
        while self._due and self._due[0][0] <= now and self._may_begin():
            key = heapq.heappop(self._due)[1]
            if key in self._reads:
                began.append(self._reads[key])
                self._under_way[key] = now
                self._room -= 1
        return began

    def end(self, key: BackingKey, error: str, now: float) -> None:
        """Record the answer to a read: an error, or ""."""
        hung = self._hangs(self._under_way.pop(key), now)
        if key not in self._reads:
            return
        confirmed = hung or key in self._doubtful or key in self._failures
        self._doubtful.discard(key)
        self._failures.pop(key, None)
        if error and not confirmed:
            self._doubtful.add(key)
        elif error:
            self._failures[key] = _unreadable(key.path, error)
        self._queue(key, now + (self._pace.confirm if key in self._doubtful else self._pace.interval))

    def lose(self, now: float) -> None:
        """Record that the reads under way will not be answered, since their process has ended."""
        for key in [*self._under_way]:
            del self._under_way[key]
            if key in self._reads:
                self._queue(key, now + self._pace.interval)

    def problems(self, now: float) -> dict[BackingKey, Failure]:
        """Return the problems by backing."""
        hanging = {
            key: _hanging(key.path, self._pace.patience)
            for key, began in self._under_way.items()
            if key in self._reads and self._hangs(began, now)
        }
        return {**self._failures, **hanging}

    def pause(self, now: float) -> float:
        """Return the seconds until something is to be done, if no answer comes."""
        times = [
            began + self._pace.patience for began in self._under_way.values() if not self._hangs(began, now)
        ]
        if self._due and len(self._under_way) < self._pace.hanging:
            times.append(max(self._due[0][0], now if self._room else self._second + 1.0))
        return max(0.0, min(times, default=now + self._pace.interval) - now)

    def _may_begin(self) -> bool:
        return self._room > 0 and len(self._under_way) < self._pace.hanging

    def _hangs(self, began: float, now: float) -> bool:
        return now - began >= self._pace.patience

    def _queue(self, key: BackingKey, due: float) -> None:
        heapq.heappush(self._due, (due, key))


def _unreadable(path: str, error: str) -> Failure:
    return Failure(
        Reason.BACKING_UNREADABLE,
        f"{path} can't be read on this node: {error}; it stays exported, and hosts get errors: check the "
        "device, its cables and the kernel's log",
    )


def _hanging(path: str, patience: float) -> Failure:
    return Failure(
        Reason.BACKING_HANGS,
        f"{path} has not answered a read of this node for {patience:g} s; it stays exported, and I/O of "
        "hosts waits, and later their logins: let the device answer again, or make it fail",
    )
