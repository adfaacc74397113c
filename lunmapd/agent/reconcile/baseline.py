"""The drift baseline from pass to pass, and over a restart in the seen file."""

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.agent.state.seen_file import SeenFile, SeenState, ValidityKey, baseline_from, refused_keys
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.planning import drift
from lunmapd.core.planning.decide import Comparison
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.enablement import Offered, enabled_objects
from lunmapd.core.planning.guard import removed_keys
from lunmapd.core.planning.plan import Plan
from lunmapd.core.planning.withhold import created_keys


class BaselineStore:
    """Keeps what was last observed as desired. What differs from it later was changed outside lunmapd.

    `current` is None as long as nothing is known: then no difference counts as drift. `offered` are the
    Enabled objects that the map of the last pass that was not held asks for, none as long as that is not
    known.
    """

    def __init__(self) -> None:
        """Start without a baseline."""
        self.current: DriftBaseline | None = None
        self.valid_for: ValidityKey | None = None
        self.offered: Offered | None = None
        self._refused: AbstractSet[lio_objects.Key] = frozenset()

    def load(self, seen: SeenFile | None, terms: ValidityKey | None, desired: Desired) -> None:
        """Load the baseline of an earlier daemon from the seen file, if it is valid for these `terms`.

        What was offered is loaded for any map.
        """
        if seen is None or terms is None:
            return
        if self.offered is None:
            self.offered = seen.offered(terms.node, terms.boot)
        if self.current is not None:
            return
        state = seen.load(terms)
        if state is not None:
            self.current, self.valid_for = baseline_from(state, desired), terms

    def save(self, seen: SeenFile | None) -> None:
        """Write what is known to the seen file; without a baseline only what is offered is replaced there."""
        if seen is None or self.offered is None:
            return
        offered = tuple(self.offered.values())
        if self.current is not None and self.valid_for is not None:
            still_open, refused = tuple(sorted(self.current.open)), tuple(sorted(self._refused))
            seen.save(SeenState(self.valid_for, still_open, refused, offered))
        elif seen.content is not None:
            seen.save(replace(seen.content, offered=offered))

    def begin(self, steps: Plan) -> None:
        """Record that these steps will be executed: what they leave is no drift until it was as desired.

        A repair stays a repair, unless it deletes the object first: then lunmapd itself has removed it.
        """
        if self.current is not None:
            ours = {lio_objects.key_of(step.item) for step in steps if not step.drift}
            ours |= created_keys(steps) & removed_keys(steps)
            self.current = DriftBaseline(self.current.desired, self.current.open | ours)

    def follow(self, desired: Desired) -> bool:
        """Record that a pass follows the map that asks for these objects.

        Return whether it disables TPGs that the map followed before had enabled.
        """
        before, self.offered = self.offered or {}, enabled_objects(desired.objects)
        return not before.keys() <= self.offered.keys()

    def record_partial(self, desired: lio_objects.DesiredObjects, keys: AbstractSet[lio_objects.Key]) -> None:
        """Record that objects with these keys were observed as desired; `desired` are all desired objects."""
        still_open = frozenset() if self.current is None else self.current.open
        self.current = DriftBaseline(desired, still_open - keys)

    def record_full(self, comparison: Comparison, left: Plan) -> lio_objects.DesiredObjects:
        """Record a full pass that left these steps; return the desired objects, each in memory once."""
        known = drift.update_baseline(self.current, comparison.desired, comparison.observed.objects, left)
        # A TPG that isolation disabled is not drift when the map enables it again.
        self.current = DriftBaseline(known.desired, known.open | comparison.kept_disabled)
        self._refused = refused_keys(comparison.desire)
        return known.desired

    def share(self, desired: lio_objects.DesiredObjects) -> None:
        """Use this equal mapping of the desired objects from now on, so that it is in memory once."""
        assert self.current is not None, "it was recorded"
        self.current = DriftBaseline(desired, self.current.open)
