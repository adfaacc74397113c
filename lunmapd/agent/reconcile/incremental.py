"""What a partial pass starts from: the map, the desired and the observed objects after the last pass.

The theory of operation is in pass_state.py.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from lunmapd.agent.reconcile.result import PassResult
from lunmapd.core.base.disruption import Disruption
from lunmapd.core.base.event_reasons import FullPass
from lunmapd.core.base.reasons import OF_BACKINGS, OF_PORTALS, Reason
from lunmapd.core.node import lio_objects
from lunmapd.core.node.backing_reads import ReadProblems
from lunmapd.core.node.desired_delta import MAX_CHANGED_LUNS, Delta, DesiredView
from lunmapd.core.node.failure import Failure
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.out_of_band import accept_edits
from lunmapd.core.node.overlay import Overlay
from lunmapd.core.node.portals import PortalProblems
from lunmapd.core.node.reservations import ReservationRecord
from lunmapd.core.planning.decide import Comparison, PassInput
from lunmapd.core.planning.enablement import Enablement
from lunmapd.core.planning.other_data import Reuse
from lunmapd.core.planning.outcome import StepOutcome
from lunmapd.core.planning.plan import Plan
from lunmapd.core.planning.withhold import lets_children_proceed

_COMPUTABLE = OF_BACKINGS | OF_PORTALS | {Reason.FOREIGN_TARGET, Reason.FOREIGN_DIRECTORY}
"""Failures with which all desired objects are known, though the node can't have some of them."""


class Unfinished(Struct, frozen=True):
    """What the last full pass could not do: partial passes leave it alone and report it again.

    `failures`, `left` and `decided` are as in PassResult. `open` are the keys of the objects that are not as
    desired. `missing` are those of them that don't exist as their children need them. `needed` are the keys
    of the parents of unfinished objects, which must not be deleted. `luns` are the names of the Luns that
    unfinished objects serve. `allow` is the disruption limit of the pass, `portals` and `unread` are the
    problems of portals and of reading files and devices that it reported, `reuse` is what it might create at
    addresses of other Luns. `unrestored` is as in PassResult.
    """

    failures: Mapping[lio_objects.Key, Failure]
    left: Plan
    decided: AbstractSet[lio_objects.Key]
    open: AbstractSet[lio_objects.Key]
    missing: AbstractSet[lio_objects.Key]
    needed: AbstractSet[lio_objects.Key]
    luns: AbstractSet[str | None]
    allow: Disruption
    portals: PortalProblems
    unread: ReadProblems
    reuse: Reuse
    unrestored: tuple[ReservationRecord, ...] = ()

    def concerns(self, delta: Delta) -> bool:
        """Return whether a change of the map touches an unfinished object, its parents or its Lun."""
        parents = {parent for item in delta.desired.values() for parent in lio_objects.parents_of(item)}
        removed = delta.keys - delta.desired.keys()
        return bool(
            delta.keys & self.open
            or delta.luns & self.luns
            or parents & self.missing
            or removed & self.needed
        )


def _unfinished(result: PassResult, given: PassInput) -> Unfinished:
    left = {lio_objects.key_of(step.item): step for step in result.left}
    failing = ((key, step, result.failures.get(key)) for key, step in left.items())
    usable = {
        key for key, step, failure in failing if failure is not None and lets_children_proceed(step, failure)
    }
    keys = result.failures.keys() | left.keys()
    items = [step.item for step in left.values()]
    needed = {parent for item in items for parent in lio_objects.parents_of(item)}
    luns = {lio_objects.lun_served_by(item) for item in items}
    return Unfinished(
        result.failures,
        result.left,
        result.decided,
        keys,
        keys - usable,
        needed,
        luns,
        given.allow,
        given.portals,
        given.unread,
        given.addresses.reuse,
        result.unrestored,
    )


class StartingPoint:
    """The state after a pass, from which a partial pass can start, and which it moves to the next map."""

    def __init__(
        self,
        view: DesiredView,
        observed: Observed,
        objects: Overlay[lio_objects.Key, lio_objects.Object],
        unfinished: Unfinished,
    ) -> None:
        """Start from a full pass: `objects` are those that it observed, for this object alone to change."""
        self.view = view
        self.objects = objects
        self.observed = replace(observed, objects=objects)
        self._unfinished = unfinished

    def delta_to(self, given: PassInput) -> Delta | FullPass:
        """Return the part of the objects that the input concerns, or why a full pass is needed."""
        if (difference := self._difference(given)) is not None:
            return difference
        delta = self.view.delta_to(given.lunmap, given.change)
        return FullPass.UNFINISHED if isinstance(delta, Delta) and self._unfinished.concerns(delta) else delta

    def _difference(self, given: PassInput) -> FullPass | None:
        """Return what besides the map differs from the last full pass, None if nothing does."""
        if given.enablement is not Enablement.ALL:
            return FullPass.ISOLATION
        if given.unreadable:
            return FullPass.DOCUMENTS
        if accept_edits(given.lunmap, given.edited, given.unreadable.keys()).failures:
            return FullPass.OUT_OF_BAND
        last = self._unfinished
        if given.portals != last.portals:
            return FullPass.PORTALS
        if given.unread != last.unread:
            return FullPass.BACKINGS
        now = (given.vault, given.decided, given.allow, given.addresses.reuse)
        same = now == (self.view.vault, last.decided, last.allow, last.reuse)
        return None if same else FullPass.POLICY

    def record(self, delta: Delta, observed: Observed) -> None:
        """Replace the objects of a part, and their backings, by those that were observed of it.

        What reads the backings and reports them recognises by a new mapping that something has changed.
        """
        before = self._exported(delta, self.observed)
        for key in delta.keys:
            self.objects.pop(key, None)
        self.objects.update(observed.objects)
        if self._exported(delta, observed) != before:
            backings = dict(self.observed.backings)
            for name in delta.luns:
                backings.pop(name, None)
            backings.update(observed.backings)
            self.observed = replace(self.observed, backings=backings)

    def _exported(self, delta: Delta, observed: Observed) -> dict[str, tuple[object, object]]:
        """Return the present storage object of each Lun of a part, with the observed facts of its backing."""
        return {
            name: (self.objects.get(("storage_object", name)), observed.backings.get(name))
            for name in delta.luns
        }

    def advance(self, delta: Delta) -> None:
        """Move on to the map of a part whose objects were observed as desired."""
        self.view.advance(delta)

    def result(self, outcomes: tuple[StepOutcome, ...]) -> PassResult:
        """Return the result of a partial pass with these outcomes, including what is still unfinished."""
        last = self._unfinished
        return PassResult(
            self.observed,
            last.failures,
            last.left,
            outcomes,
            decided=last.decided,
            unrestored=last.unrestored,
        )


def starting_point(
    given: PassInput, comparison: Comparison, result: PassResult, desired: lio_objects.DesiredObjects
) -> StartingPoint | FullPass:
    """Return what a partial pass can start from after a full one, or why none can.

    `desired` are the desired objects, those of them that were observed as such being the observed ones.
    """
    if (obstacle := _obstacle(given, comparison, result)) is not None:
        return obstacle
    observed = result.observed
    view = DesiredView(given.lunmap, given.node, given.vault, observed.foreign, desired)
    return StartingPoint(view, observed, Overlay(observed.objects), _unfinished(result, given))


def _obstacle(given: PassInput, comparison: Comparison, result: PassResult) -> FullPass | None:
    failures = comparison.desire.failures.values()
    causes = [failure for failure in result.failures.values() if failure.reason != Reason.WAITING]
    obstacles = {
        FullPass.NOT_FULLY_ENABLED: given.enablement is not Enablement.ALL,
        FullPass.UNREADABLE: given.unreadable,
        FullPass.UNKNOWN_DESIRED: any(failure.reason not in _COMPUTABLE for failure in failures),
        FullPass.MANY_FAILURES: len(causes) > MAX_CHANGED_LUNS,
        FullPass.LEFTOVERS: any(isinstance(step.item, lio_objects.Leftover) for step in result.left),
    }
    return next((reason for reason, is_there in obstacles.items() if is_there), None)
