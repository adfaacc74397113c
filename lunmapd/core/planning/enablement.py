"""Whether a node offers its paths: what an isolated node takes out of its plan, so that initiators use other nodes."""

from enum import Enum

from lunmapd.core.node import lio_objects


class Enablement(Enum):
    """How far TPGs are enabled."""

    ALL = "as the map says"
    KEPT = "those that are, and no more"
    NONE = "none"


def limit_enablement(
    desired: lio_objects.Objects, observed: lio_objects.Objects, offer: Enablement
) -> lio_objects.Objects:
    """Return what is desired without the Enabled objects that are not to be offered; all else stays ready behind them."""
    if offer is Enablement.ALL:
        return desired
    return {
        name: item
        for name, item in desired.items()
        if not isinstance(item, lio_objects.Enabled) or (offer is Enablement.KEPT and name in observed)
    }


def change_enablement_only(
    desired: lio_objects.Objects, observed: lio_objects.Objects, offer: Enablement
) -> lio_objects.Objects:
    """Return what is observed, changed in what is offered only: closed for NONE, else opened as far as is desired."""
    if offer is Enablement.NONE:
        return limit_enablement(observed, observed, offer)
    closed = {
        name: item
        for name, item in limit_enablement(desired, observed, offer).items()
        if isinstance(item, lio_objects.Enabled)
        and name not in observed
        and lio_objects.parents_of(item)[0] in observed
    }
    return {**observed, **closed}
