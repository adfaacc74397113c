"""The guard against mass removal: a pass that would take away much at once waits until somebody says that it is meant.

One wrong file, an edit in the wrong tree or a mistake in this program could otherwise unmap a whole SAN in a second.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Plan

_COUNTED: Mapping[type, str] = {lio_objects.MappedLun: "mapped LUNs", lio_objects.TpgLun: "LUNs"}


class RemovalLimits(Struct, frozen=True):
    """More than `share` (0-1) of a node's LUNs or mapped LUNs is much at once; up to `minimum` of them never is."""

    share: float = 0.25
    minimum: int = 4


class MassRemoval(Struct, frozen=True):
    """What would be taken away: `gone` of the `total` objects of a kind, `anew` of them to be made again at once."""

    kind: str
    gone: int
    total: int
    anew: int = 0

    def __str__(self) -> str:
        anew = f", {self.anew} of them to make them anew" if self.anew else ""
        return f"remove {self.gone} of {self.total} {self.kind} of this node{anew}"


def removed_keys(steps: Plan) -> AbstractSet[lio_objects.Key]:
    """Return what a plan takes away, for good or to make it anew."""
    return frozenset(lio_objects.key_of(step.item) for step in steps if step.action is Action.DELETE)


def find_mass_removal(
    steps: Plan,
    observed: lio_objects.Objects,
    limits: RemovalLimits,
    excused: AbstractSet[lio_objects.Key] = frozenset(),
) -> MassRemoval | None:
    """Return the mass removal among `steps`, which start from `observed`; None if there is none.

    The removals of the keys that are `excused` don't count: those that are confirmed, and those that an earlier
    pass decided and could not finish, as when the kernel had an object in use. An object that is replaced counts
    as removed: its users lose it, and its successor may fail.
    """
    gone = removed_keys(steps) - excused
    for kind, words in _COUNTED.items():
        names = {name for name in gone if isinstance(observed[name], kind)}
        if len(names) <= limits.minimum:
            continue
        total = sum(isinstance(item, kind) for item in observed.values())
        if len(names) > limits.share * total:
            made = {lio_objects.key_of(step.item) for step in steps if step.action is Action.CREATE}
            return MassRemoval(words, len(names), total, len(names & made))
    return None
