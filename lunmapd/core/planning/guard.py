"""The guard against mass removal.

A pass that would remove much at once is held until the removal is confirmed. Otherwise one wrong file, an
edit in the wrong tree or a bug in lunmapd could unmap a whole SAN within a second.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct

from lunmapd.core.node import lio_objects
from lunmapd.core.planning.plan import Action, Plan

_COUNTED: Mapping[type, str] = {lio_objects.MappedLun: "mapped LUNs", lio_objects.TpgLun: "LUNs"}


class RemovalLimits(Struct, frozen=True):
    """The limits of a removal: more than `share` (0 to 1) and more than `minimum` is a mass removal.

    Both count the node's LUNs, and its mapped LUNs.
    """

    share: float = 0.25
    minimum: int = 4


class MassRemoval(Struct, frozen=True):
    """The removal of `gone` of the `total` objects of a kind.

    The pass creates `anew` of them again. `closed` of them stay, but no initiator can use them any more.
    """

    kind: str
    gone: int
    total: int
    anew: int = 0
    closed: int = 0

    def __str__(self) -> str:
        anew = f", {self.anew} of them to make them anew" if self.anew else ""
        closed = f", {self.closed} of them by closing their TPGs" if self.closed else ""
        return f"remove {self.gone} of {self.total} {self.kind} of this node{anew}{closed}"


def removed_keys(steps: Plan) -> AbstractSet[lio_objects.Key]:
    """Return the keys of the objects that a plan deletes, for good or to create them again."""
    return frozenset(lio_objects.key_of(step.item) for step in steps if step.action is Action.DELETE)


def find_mass_removal(
    steps: Plan,
    observed: lio_objects.Objects,
    limits: RemovalLimits,
    excused: AbstractSet[lio_objects.Key] = frozenset(),
) -> MassRemoval | None:
    """Return the mass removal among `steps`, which start from `observed`; None if there is none.

    The removals of the keys that are `excused` don't count: those that are confirmed, and those that an
    earlier pass decided and could not finish, as when the kernel had an object in use. An object that is
    replaced counts as removed: its users lose it, and its successor may fail. So does a mapped LUN whose TPG
    is disabled, or loses its last portal.
    """
    gone = removed_keys(steps) - excused
    closed = _behind_closed_tpgs(gone, steps, observed)
    for kind, words in _COUNTED.items():
        removed = {key for key in gone | closed if isinstance(observed[key], kind)}
        if len(removed) <= limits.minimum:
            continue
        total = sum(isinstance(item, kind) for item in observed.values())
        if len(removed) > limits.share * total:
            created = {lio_objects.key_of(step.item) for step in steps if step.action is Action.CREATE}
            return MassRemoval(words, len(removed), total, len(removed & created), len(removed - gone))
    return None


def _behind_closed_tpgs(
    gone: AbstractSet[lio_objects.Key], steps: Plan, observed: lio_objects.Objects
) -> AbstractSet[lio_objects.Key]:
    """Return the mapped LUNs that stay in TPGs that are closed for good."""
    created = [step.item for step in steps if step.action is Action.CREATE]
    closed = _tpgs_of(lio_objects.Enabled, (observed[key] for key in gone))
    closed -= _tpgs_of(lio_objects.Enabled, created)
    silent = _tpgs_of(lio_objects.Portal, (observed[key] for key in gone))
    if silent:
        left = (item for key, item in observed.items() if key not in gone)
        silent -= _tpgs_of(lio_objects.Portal, left) | _tpgs_of(lio_objects.Portal, created)
        silent &= _tpgs_of(lio_objects.Enabled, observed.values())
    closed |= silent
    if not closed:
        return frozenset()
    return frozenset(
        key
        for key, item in observed.items()
        if isinstance(item, lio_objects.MappedLun) and (item.iqn, item.tag) in closed
    )


def _tpgs_of(
    kind: type[lio_objects.Enabled | lio_objects.Portal], items: Iterable[lio_objects.Object]
) -> set[tuple[str, int]]:
    """Return the TPGs, by target and tag, of the items of a kind."""
    return {(item.iqn, item.tag) for item in items if isinstance(item, kind)}
