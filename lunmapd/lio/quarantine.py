"""Which objects must be left alone because a step on one of them hangs in the kernel."""

from collections.abc import Iterable

from msgspec import Struct

from lunmapd.core import lio
from lunmapd.core.outcome import Failure
from lunmapd.lio.look import Held
from lunmapd.lio.process import WorkerProcess


class Stuck(Struct, frozen=True):
    """One hanging step: its object, the directory that it blocks, and the sentence about it."""

    item: lio.Object
    path: str
    message: str

    def failure(self) -> Failure:
        """Return what is reported for every object that is blocked by it."""
        return Failure("Stuck", self.message)

    def blocks(self, item: lio.Object) -> bool:
        """Say whether a step on `item` would wait for the same lock.

        An ACL blocks all ACLs of its TPG, for they are listed in one directory; a target or TPG all that is in it.
        """
        match self.item:
            case lio.NodeAcl() | lio.MappedLun():
                return isinstance(item, lio.NodeAcl | lio.MappedLun) and _tpg(item) == _tpg(self.item)
            case lio.Tpg() | lio.Enabled() | lio.Portal():
                return _tpg(item) == _tpg(self.item)
            case lio.Target():
                return _tpg(item)[0] == self.item.iqn
            case _:
                return lio.key(item) == lio.key(self.item)

    def held(self, objects: Iterable[lio.Object]) -> Held:
        """Return what was last seen in the directory that is blocked."""
        return Held(self.path, tuple(item for item in objects if self.blocks(item)))


class Quarantine:
    """The hanging steps. One ends with its worker, at the next look: only then is known what became of it."""

    def __init__(self) -> None:
        """Start empty."""
        self._stuck: list[tuple[WorkerProcess, Stuck]] = []

    def __bool__(self) -> bool:
        """Say whether any step hangs."""
        return bool(self._stuck)

    def add(self, worker: WorkerProcess, stuck: Stuck) -> None:
        """Note a hanging step and the worker that was left behind in it."""
        self._stuck.append((worker, stuck))

    def failure(self, item: lio.Object) -> Failure | None:
        """Return why the object must be left alone, None if it need not."""
        return next((stuck.failure() for _, stuck in self._stuck if stuck.blocks(item)), None)

    def held(self, objects: Iterable[lio.Object]) -> tuple[Held, ...]:
        """Forget what has ended; return the directories that a look must not touch, with what was last seen there."""
        seen = tuple(objects)
        self._stuck = [(worker, stuck) for worker, stuck in self._stuck if worker.alive]
        return tuple(stuck.held(seen) for _, stuck in self._stuck if stuck.path)


def _tpg(item: lio.Object) -> tuple[object, object]:
    return getattr(item, "iqn", None), getattr(item, "tag", None)
