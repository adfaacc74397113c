"""The objects that are left alone because a step on one of them is stuck in the kernel."""

import logging
from collections.abc import Iterable

from msgspec import Struct

from lunmapd.core.base.events import Event
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.lio.base.observation import StuckDirectory
from lunmapd.lio.worker.process import WorkerProcess
from lunmapd.trace import trace

_log = logging.getLogger(__name__)


class StuckStep(Struct, frozen=True):
    """A stuck step or observation: its object, the directory that it blocks, and the failure's message."""

    item: lio_objects.Object
    path: str
    message: str

    def failure(self) -> Failure:
        """Return the failure of every object that the stuck step blocks."""
        return Failure(Reason.STUCK, self.message)

    def blocks(self, item: lio_objects.Object) -> bool:
        """Return whether a step on `item` would wait for the same lock.

        An ACL blocks all ACLs of its TPG, since one directory lists them. A target or TPG blocks everything
        in it.
        """
        match self.item:
            case lio_objects.NodeAcl() | lio_objects.MappedLun():
                return isinstance(item, lio_objects.NodeAcl | lio_objects.MappedLun) and _tpg(item) == _tpg(
                    self.item
                )
            case lio_objects.Tpg() | lio_objects.Enabled() | lio_objects.Portal():
                return _tpg(item) == _tpg(self.item)
            case lio_objects.Target():
                return _tpg(item)[0] == self.item.iqn
            case _:
                return lio_objects.key_of(item) == lio_objects.key_of(self.item)

    def directory(self, objects: Iterable[lio_objects.Object]) -> StuckDirectory:
        """Return the blocked directory, with those of the last observed `objects` that are in it."""
        return StuckDirectory(self.path, tuple(item for item in objects if self.blocks(item)))


class Quarantine:
    """The stuck steps.

    Each is released by the first observation after its worker has ended: only that shows its outcome.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._stuck: list[tuple[WorkerProcess, StuckStep]] = []

    def __bool__(self) -> bool:
        """Return whether any step is stuck."""
        return bool(self._stuck)

    def add(self, worker: WorkerProcess, stuck: StuckStep) -> None:
        """Record a stuck step and the abandoned worker that is in it."""
        self._stuck.append((worker, stuck))

    def failure(self, item: lio_objects.Object) -> Failure | None:
        """Return the failure of an object that must be left alone, None for other objects."""
        return next((stuck.failure() for _, stuck in self._stuck if stuck.blocks(item)), None)

    def directories(self, objects: Iterable[lio_objects.Object]) -> tuple[StuckDirectory, ...]:
        """Release steps whose worker has ended, and return the directories that must not be read.

        `objects` are the last observed objects.
        """
        observed = tuple(objects)
        for pid in {worker.pid for worker, _ in self._stuck if not worker.alive}:
            trace(_log, Event.WORKER_ENDED, pid=pid)
        self._stuck = [(worker, stuck) for worker, stuck in self._stuck if worker.alive]
        return tuple(stuck.directory(observed) for _, stuck in self._stuck if stuck.path)


def _tpg(item: lio_objects.Object) -> tuple[object, object]:
    return getattr(item, "iqn", None), getattr(item, "tag", None)
