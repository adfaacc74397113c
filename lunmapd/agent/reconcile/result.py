"""The result of a pass, or the error of a pass that was held."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.base.errors import ConditionError, Exit
from lunmapd.core.base.reasons import Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.reservations import ReservationRecord
from lunmapd.core.planning.guard import MassRemoval
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan


class RemovalHeldError(ConditionError, reason=Reason.REMOVAL_HELD):
    """A pass would make a mass removal that is not confirmed.

    `outcomes` are those of the steps that it made all the same; the first failure is in the message.
    `observed` is LIO after them.
    """

    exit_code = Exit.DEGRADED

    def __init__(
        self, revision: int, held: MassRemoval, observed: Observed, outcomes: Iterable[StepOutcome] = ()
    ) -> None:
        self.held, self.observed = held, observed
        failed = ((each.step, each.failure) for each in outcomes if each.failure is not None)
        texts = (
            f"; and it could not {step.action} {lio_objects.show_key(lio_objects.key_of(step.item))}: "
            f"{failure.message}"
            for step, failure in failed
        )
        super().__init__(
            f"revision {revision} would {held}: the node does not follow it; "
            f"correct the map, or confirm the removal with 'lunmapctl confirm'{next(texts, '')}"
        )


class PassResult(Struct, frozen=True):
    """The result of one pass.

    `observed` is LIO after the pass. `failures` has a failure for each object that is not as desired. `left`
    is the plan from `observed` to the desired objects: a step is applied only once its effect was observed.
    `done` are the outcomes of the steps that were executed. `kept_disabled` is the number of TPGs that the
    map enables and isolation does not. `decided` are the keys of the objects whose removal was permitted and
    could not be done. `unrestored` are the reservation records that the kernel will not restore. `empty` are
    the seconds until a LUN number was empty for long enough, infinity if none must be; `draining` are those
    until the next look whether hosts have left a drained node, or a group has moved.
    """

    observed: Observed
    failures: Mapping[lio_objects.Key, Failure]
    left: Plan
    done: tuple[StepOutcome, ...] = ()
    kept_disabled: int = 0
    decided: AbstractSet[lio_objects.Key] = frozenset()
    unrestored: tuple[ReservationRecord, ...] = ()
    empty: float = float("inf")
    draining: float = float("inf")

    @property
    def converged(self) -> bool:
        """Whether LIO was observed to be as the map asks for, without a failure."""
        return not self.left and not self.failures and not self.kept_disabled
