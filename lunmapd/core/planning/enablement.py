"""Which TPGs a node enables. An isolated node disables all, so that initiators use other nodes."""

from enum import Enum

from lunmapd.core.node import lio_objects


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

    For NONE all TPGs are disabled; otherwise the desired ones that exist and are disabled are enabled.
    """
    there = lio_objects.complete_objects(observed)
    if enablement is Enablement.NONE:
        return limit_enablement(there, observed, enablement)
    disabled = {
        key: item
        for key, item in limit_enablement(desired, observed, enablement).items()
        if isinstance(item, lio_objects.Enabled)
        and key not in observed
        and lio_objects.parents_of(item)[0] in observed
    }
    return {**there, **disabled}
