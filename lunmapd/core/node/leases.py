"""The enablement of floating groups, which their leases alone change, beside the passes (agent/floating)."""

from collections.abc import Set as AbstractSet

from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import is_always_listed


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


def _opens_by_lease(item: lio_objects.Enabled, desired: lio_objects.DesiredObjects) -> bool:
    tpg = desired.get(("tpg", item.iqn, item.tag))
    return isinstance(tpg, lio_objects.Tpg) and is_always_listed(tpg)
