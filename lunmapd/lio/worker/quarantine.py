"""Which objects must be left alone because a step on one of them hangs in the kernel."""

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
    """One hanging step: its object, the directory that it blocks, and the sentence about it."""

    item: lio_objects.Object
    path: str
    message: str

    def failure(self) -> Failure:
        """Return what is reported for every object that is blocked by it."""
        return Failure(Reason.STUCK, self.message)

    def blocks(self, item: lio_objects.Object) -> bool:
        """Say whether a step on `item` would wait for the same lock.

        An ACL blocks all ACLs of its TPG, for they are listed in one directory; a target or TPG all that is in it.
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
        """Return what was last seen in the directory that is blocked."""
        return StuckDirectory(self.path, tuple(item for item in objects if self.blocks(item)))


class Quarantine:
    """The hanging steps. One ends with its worker, at the next look: only then is known what became of it."""

    def __init__(self) -> None:
        """Start empty."""
        self._stuck: list[tuple[WorkerProcess, StuckStep]] = []

    def __bool__(self) -> bool:
        """Say whether any step hangs."""
        return bool(self._stuck)

    def add(self, worker: WorkerProcess, stuck: StuckStep) -> None:
        """Note a hanging step and the worker that was left behind in it."""
        self._stuck.append((worker, stuck))

    def failure(self, item: lio_objects.Object) -> Failure | None:
        """Return why the object must be left alone, None if it need not."""
        return next((stuck.failure() for _, stuck in self._stuck if stuck.blocks(item)), None)

    def directories(self, objects: Iterable[lio_objects.Object]) -> tuple[StuckDirectory, ...]:
        """Forget what has ended; return the directories that a look must not touch, with what was last seen there."""
        seen = tuple(objects)
        for pid in {worker.pid for worker, _ in self._stuck if not worker.alive}:
            trace(_log, Event.WORKER_ENDED, pid=pid)
        self._stuck = [(worker, stuck) for worker, stuck in self._stuck if worker.alive]
        return tuple(stuck.directory(seen) for _, stuck in self._stuck if stuck.path)


def _tpg(item: lio_objects.Object) -> tuple[object, object]:
    return getattr(item, "iqn", None), getattr(item, "tag", None)
