"""Which TPGs a node enables. An isolated node disables all, so that initiators use other nodes."""

from enum import Enum

from lunmapd.core.node import lio_objects
from lunmapd.core.node.project import ADMITTING_ATTRIBUTES, TPG_PARAMETERS


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


def change_enablement_only(
    desired: lio_objects.DesiredObjects, observed: lio_objects.Objects, enablement: Enablement
) -> lio_objects.DesiredObjects:
    """Return the observed objects with the changes of enablement alone.

    For NONE all TPGs are disabled; otherwise the desired ones that exist and are disabled are enabled, if
    they admit as the map says.
    """
    there = lio_objects.complete_objects(observed)
    if enablement is Enablement.NONE:
        return limit_enablement(there, observed, enablement)
    disabled = {
        key: item
        for key, item in limit_enablement(desired, observed, enablement).items()
        if isinstance(item, lio_objects.Enabled)
        and key not in observed
        and _admits_alike(lio_objects.parents_of(item)[0], desired, observed)
    }
    return {**there, **disabled}


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
