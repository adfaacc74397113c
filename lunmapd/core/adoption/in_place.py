"""The steps that taking over may execute: they end no session, and no initiator loses a path. Pure.

Besides settings that lunmapd governs, these are the preparations for the other nodes of the map: a target
port group of its own for each Lun, which a host learns from a unit attention, and the contents of remote
TPGs and of floating groups, to which nobody can log in.
"""

from lunmapd.core.base.backings import PLUGINS
from lunmapd.core.base.lunmap import CLOSED
from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import READ_ONLY_ATTRIBUTES, TPG_ATTRIBUTES
from lunmapd.core.node.projection.project_target import is_always_listed
from lunmapd.core.planning.plan import Action, Step

_SET_IN_PLACE = {"attributes", "default_group", "alua"}


def is_in_place(step: Step, desired: lio_objects.DesiredObjects) -> bool:
    """Return whether taking over may execute the step, which leads to the `desired` objects."""
    if _concerns_listed_tpg(step.item, desired):
        return True
    return step.action is Action.UPDATE and step.before is not None and _is_small(step.before, step.item)


def _is_small(before: lio_objects.Object, after: lio_objects.Object) -> bool:
    """Return whether an update changes only what no session notices."""
    match before, after:
        case lio_objects.Tpg(), lio_objects.Tpg():
            governed = {name for name, _ in TPG_ATTRIBUTES} - {"authentication"}
            return before.parameters == after.parameters and _changed(before, after) <= governed
        case lio_objects.StorageObject(), lio_objects.StorageObject():
            held = {name for name, value in after.attributes if READ_ONLY_ATTRIBUTES.get(name) == value}
            governed = {*PLUGINS[after.plugin].governed, *held}
            return _same_otherwise(before, after) and _changed(before, after) <= governed
        case lio_objects.NodeAcl(), lio_objects.NodeAcl():
            # Its own setting equals that of its TPG: adoption refuses any other.
            return before.credentials == after.credentials
        case lio_objects.TpgLun(), lio_objects.TpgLun():
            return before.offline == after.offline
        case _:
            return False


def _concerns_listed_tpg(item: lio_objects.Object, desired: lio_objects.DesiredObjects) -> bool:
    """Return whether the object is, or is in, a remote TPG or one of a floating group.

    One that is enabled has to be disabled first.
    """
    tpg = desired.get(("tpg", getattr(item, "iqn", ""), getattr(item, "tag", 0)))
    return (
        isinstance(tpg, lio_objects.Tpg)
        and is_always_listed(tpg)
        and not isinstance(item, lio_objects.Enabled)
    )


def _changed(
    before: lio_objects.Tpg | lio_objects.StorageObject, after: lio_objects.Tpg | lio_objects.StorageObject
) -> set[str]:
    return {name for name, _ in set(after.attributes) ^ set(before.attributes)}


def _same_otherwise(before: lio_objects.StorageObject, after: lio_objects.StorageObject) -> bool:
    """Return whether only attributes and target port groups differ, and every path stays open."""
    same = all(
        getattr(before, field) == getattr(after, field)
        for field in after.__struct_fields__
        if field not in _SET_IN_PLACE
    )
    was, now = before.default_group, after.default_group
    reported = (was.state, was.preferred) == (now.state, now.preferred)
    return same and reported and (after.alua is None or after.alua.state not in CLOSED)
