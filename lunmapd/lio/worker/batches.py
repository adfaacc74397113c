"""The queue of the steps of a plan, from which the worker receives batches."""

from collections import deque
from collections.abc import Iterable, Sequence

from lunmapd.core.planning.plan import Step

_MAX_BATCH = 256


class Batches:
    """Returns many steps at a time, so that the round trip to the worker is paid once for all of them.

    After a worker has died, the step that killed it is unknown. The rest of its batch is returned one by one,
    so that the next death is attributed to its step. `careful` is true if the step of the last batch may
    already be applied.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        """Queue `steps` in order."""
        self._steps = deque(steps)
        self._single_steps = 0
        self.careful = False

    def take(self) -> list[Step]:
        """Return the next batch, empty at the end of the queue."""
        self.careful = self._single_steps > 0
        size = min(1 if self.careful else _MAX_BATCH, len(self._steps))
        self._single_steps = max(0, self._single_steps - size)
        return [self._steps.popleft() for _ in range(size)]

    def put_back(self, steps: Sequence[Step], *, careful: bool = False) -> None:
        """Put steps back to the front of the queue. `careful`: each of them may already be applied."""
        self._steps.extendleft(reversed(steps))
        if careful:
            self._single_steps = len(steps)
