"""Which TPGs a node enables. An isolated node disables all, so that initiators use other nodes."""

from collections.abc import Mapping
from enum import Enum

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import ADMITTING_ATTRIBUTES, TPG_PARAMETERS

Offered = Mapping[lio_objects.Key, lio_objects.Enabled]
"""The Enabled objects, by key, that the map of the last pass that was not held asks for, isolated or not."""


class Enablement(Enum):
    """Which TPGs may be enabled."""

    ALL = "as the map says"
    KEPT = "those that are, and no more"
    NONE = "none"


def limit_enablement(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects, enablement: Enablement
) -> lio_objects.DesiredObjects:
    """Return the desired objects without the Enabled objects that `enablement` excludes.

    Nothing else changes.
    """
    if enablement is Enablement.ALL:
        return desired
    return {
        key: item
        for key, item in desired.items()
        if not isinstance(item, lio_objects.Enabled) or (enablement is Enablement.KEPT and key in observed)
    }


def enabled_objects(objects: lio_objects.Objects) -> Offered:
    """Return the Enabled objects among the objects."""
    return {key: item for key, item in objects.items() if isinstance(item, lio_objects.Enabled)}


def change_enablement_only(
    desired: lio_objects.DesiredObjects,
    observed: lio_objects.Objects,
    enablement: Enablement,
    offered: Offered = {},  # noqa: B006 - it is not changed
    *,
    is_drained: bool = False,
) -> lio_objects.DesiredObjects:
    """Return the observed objects with the changes of enablement alone.

    For NONE all TPGs are disabled. Otherwise the desired ones that exist, are disabled and are among the
    `offered` ones are enabled, if they admit as the map says. If the map has the node `is_drained`, the
    enabled ones that are not desired are disabled.
    """
    there = lio_objects.complete_objects(observed)
    if enablement is Enablement.NONE:
        return limit_enablement(there, observed, enablement)
    closed = enabled_objects(there).keys() - desired.keys() if is_drained else frozenset()
    opened = {
        key: item
        for key, item in limit_enablement(offered, observed, enablement).items()
        if key in desired
        and key not in observed
        and _admits_alike(lio_objects.parents_of(item)[0], desired, observed)
    }
    return {key: item for key, item in there.items() if key not in closed} | opened


def _admits_alike(
    key: lio_objects.Key, desired: lio_objects.DesiredObjects, observed: lio_objects.Objects
) -> bool:
    """Return whether the TPG exists, has its mark, and admits initiators as the desired one does."""
    tpg, wanted = observed.get(key), desired.get(key)
    if not isinstance(tpg, lio_objects.Tpg) or not isinstance(wanted, lio_objects.Tpg):
        return False
    return set(TPG_PARAMETERS) <= set(tpg.parameters) and _admitting(tpg) == _admitting(wanted)


def _admitting(tpg: lio_objects.Tpg) -> set[tuple[str, str]]:
    return {setting for setting in tpg.attributes if setting[0] in ADMITTING_ATTRIBUTES}
