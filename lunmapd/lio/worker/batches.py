"""The steps of a plan on their way to the worker, dealt out in batches."""

from collections import deque
from collections.abc import Iterable, Sequence

from lunmapd.core.planning.plan import Step

_MAX_BATCH = 256


class Batches:
    """Deals out many steps at a time, so that the way to the worker and back is paid once for all of them.

    After a worker died nobody knows in which step: what is left of its batch is dealt out one by one, so that the next
    death names its step. `careful` says that the one which was dealt out may be done already.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        """Deal out `steps` in order."""
        self._steps = deque(steps)
        self._alone = 0
        self.careful = False

    def take(self) -> list[Step]:
        """Return the next batch, empty at the end."""
        self.careful = self._alone > 0
        size = min(1 if self.careful else _MAX_BATCH, len(self._steps))
        self._alone = max(0, self._alone - size)
        return [self._steps.popleft() for _ in range(size)]

    def put_back(self, steps: Sequence[Step], *, careful: bool = False) -> None:
        """Take back what comes next, with `careful` since it may be done already."""
        self._steps.extendleft(reversed(steps))
        if careful:
            self._alone = len(steps)
