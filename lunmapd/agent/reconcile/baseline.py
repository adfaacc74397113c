"""The drift baseline from pass to pass, and over a restart in the seen file."""

from collections.abc import Set as AbstractSet

from lunmapd.agent.state.seen_file import SeenFile, SeenState, ValidityKey, baseline_from, refused_keys
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desire import Desired
from lunmapd.core.planning import drift
from lunmapd.core.planning.decide import Comparison
from lunmapd.core.planning.drift import DriftBaseline
from lunmapd.core.planning.guard import removed_keys
from lunmapd.core.planning.plan import Plan
from lunmapd.core.planning.withhold import created_keys


class BaselineStore:
    """Keeps what was last observed as desired. What differs from it later was changed outside lunmapd.

    `current` is None as long as nothing is known: then no difference counts as drift.
    """

    def __init__(self) -> None:
        """Start without a baseline."""
        self.current: DriftBaseline | None = None
        self.valid_for: ValidityKey | None = None
        self._refused: AbstractSet[lio_objects.Key] = frozenset()

    def load(self, seen: SeenFile | None, terms: ValidityKey | None, desired: Desired) -> None:
        """Load the baseline of an earlier daemon from the seen file, if it is valid for these `terms`."""
        if self.current is not None or seen is None or terms is None:
            return
        state = seen.load(terms)
        if state is not None:
            self.current, self.valid_for = baseline_from(state, desired), terms

    def save(self, seen: SeenFile | None) -> None:
        """Write the baseline to the seen file; without a baseline nothing is written."""
        if seen is not None and self.current is not None and self.valid_for is not None:
            seen.save(
                SeenState(self.valid_for, tuple(sorted(self.current.open)), tuple(sorted(self._refused)))
            )

    def begin(self, steps: Plan) -> None:
        """Record that these steps will be executed: what they leave is no drift until it was as desired.

        A repair stays a repair, unless it deletes the object first: then lunmapd itself has removed it.
        """
        if self.current is not None:
            ours = {lio_objects.key_of(step.item) for step in steps if not step.drift}
            ours |= created_keys(steps) & removed_keys(steps)
            self.current = DriftBaseline(self.current.desired, self.current.open | ours)

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
