"""Which TPGs of floating groups a node enables: those of which a lease makes it the owner, and no others."""

from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from lunmapd.core.base.lunmap import TpgId
from lunmapd.core.node import lio_objects
from lunmapd.core.node.desired_delta import Delta
from lunmapd.core.node.observed import Observed
from lunmapd.core.node.project import enabled_groups, is_always_listed


def without_unowned(
    desired: lio_objects.DesiredObjects, owned: AbstractSet[TpgId]
) -> lio_objects.DesiredObjects:
    """Return the objects without the enablement of floating groups whose TPGs are not `owned`.

    That is also the one of a TPG that stays as it was observed.
    """
    unowned = {
        key
        for key, item in desired.items()
        if isinstance(item, lio_objects.Enabled)
        and (item.iqn, item.tag) not in owned
        and _opens_by_lease(item, desired)
    }
    return {key: item for key, item in desired.items() if key not in unowned} if unowned else desired


def enabled_tpgs(observed: lio_objects.Objects) -> AbstractSet[TpgId]:
    """Return the TPGs that are enabled."""
    found = (item for item in observed.values() if isinstance(item, lio_objects.Enabled))
    return {TpgId(item.iqn, item.tag) for item in found}


def is_unowned(item: lio_objects.Object, desired: lio_objects.DesiredObjects) -> bool:
    """Return whether the item enables a TPG that only a lease may enable, and none does.

    Another node may have the addresses of its floating group.
    """
    return (
        isinstance(item, lio_objects.Enabled)
        and lio_objects.key_of(item) not in desired
        and _opens_by_lease(item, desired)
    )


def _opens_by_lease(item: lio_objects.Enabled, desired: lio_objects.DesiredObjects) -> bool:
    tpg = desired.get(("tpg", item.iqn, item.tag))
    return isinstance(tpg, lio_objects.Tpg) and is_always_listed(tpg)


def with_leases(
    delta: Delta,
    node: str,
    observed: Observed,
    before: AbstractSet[TpgId],
    owned: AbstractSet[TpgId],
) -> Delta:
    """Return the delta with the enablement of the TPGs that are owned `before` or after it, and not both.

    `observed` is of the last full pass.
    """
    moved = {
        lio_objects.key_of(item): item
        for iqn in {each.target for each in before ^ owned} & delta.lunmap.targets.keys() - observed.foreign
        for item in enabled_groups(iqn, delta.lunmap.targets[iqn], node, observed.features)
        if TpgId(iqn, item.tag) in before ^ owned
    }
    enabled = {key: item for key, item in moved.items() if (item.iqn, item.tag) in owned}
    return replace(delta, keys=delta.keys | moved.keys(), desired={**delta.desired, **enabled}, owned=owned)
