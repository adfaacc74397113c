"""What leases alone change, beside the passes (agent/floating): enablement, and ALUA states."""

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.lunmap import AluaState
from lunmapd.core.node import lio_objects
from lunmapd.core.node.alua import Alua
from lunmapd.core.node.projection.project_target import is_always_listed


def as_leased(
    desired: lio_objects.DesiredObjects, observed: AbstractSet[lio_objects.Key]
) -> lio_objects.DesiredObjects:
    """Return the desired objects with the floating groups enabled that are observed to be, and no others.

    `observed` are the keys of the observed objects.

    A pass may take minutes. If it changed the enablement by what it observed at its beginning, it could
    disable a group that its lease enables meanwhile, or enable one before its address is there.
    """
    disabled = {
        key
        for key, item in desired.items()
        if isinstance(item, lio_objects.Enabled) and key not in observed and _opens_by_lease(item, desired)
    }
    return {key: item for key, item in desired.items() if key not in disabled} if disabled else desired


def as_opened(desired: lio_objects.DesiredObjects, luns: AbstractSet[str]) -> lio_objects.DesiredObjects:
    """Return the desired objects as LIO has them where these Luns, and no others, are taken over."""
    leased = {
        key: _opened(item, item.alua, is_owned=item.name in luns)
        for key, item in desired.items()
        if isinstance(item, lio_objects.StorageObject) and item.alua is not None and item.alua.leased
    }
    return {**desired, **leased} if leased else desired


def _opened(item: lio_objects.StorageObject, alua: Alua, *, is_owned: bool) -> lio_objects.StorageObject:
    state = AluaState.OPTIMIZED.value if is_owned else alua.state
    return replace(item, alua=replace(alua, state=state, leased=False))


def _opens_by_lease(item: lio_objects.Enabled, desired: lio_objects.DesiredObjects) -> bool:
    tpg = desired.get(("tpg", item.iqn, item.tag))
    return isinstance(tpg, lio_objects.Tpg) and is_always_listed(tpg)
