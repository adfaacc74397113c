"""What one pass came to: its result, or the error of a mass removal that nobody has confirmed."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.errors import ConditionError, Exit
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.planning.guard import Held
from lunmapd.core.planning.outcome import Report
from lunmapd.core.planning.plan import Plan


class RemovalHeldError(ConditionError, reason=Reason.REMOVAL_HELD):
    """A pass would remove much at once, and nobody has confirmed it."""

    exit_code = Exit.DEGRADED

    def __init__(self, revision: int, held: Held) -> None:
        self.held = held
        super().__init__(
            f"revision {revision} would {held}: nothing is changed; put the map right, or say that it is meant with 'lunmapctl confirm'"
        )


class PassResult(Struct, frozen=True):
    """What one pass found and did. `left` is what it would still have to do: applied means seen.

    `withheld` counts the TPGs that the map wants enabled and the orders don't. `decided` is what it was to take away and could not.
    """

    observed: Observed
    failures: Mapping[lio_objects.Key, Failure]
    left: Plan
    done: tuple[Report, ...] = ()
    withheld: int = 0
    decided: AbstractSet[lio_objects.Key] = frozenset()

    @property
    def converged(self) -> bool:
        """Whether the kernel was seen to be as the map says, with nothing failing."""
        return not self.left and not self.failures and not self.withheld
