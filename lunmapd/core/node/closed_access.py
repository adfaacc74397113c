"""Access that no map gives: to everybody, or by a rule of an ACL's own. Only out-of-band changes open it."""

from msgspec.structs import replace

from lunmapd.core.node import lio_objects
from lunmapd.core.node.governed import ADMITTING_ATTRIBUTES, TPG_ATTRIBUTES

_CLOSED = {name: value for name, value in TPG_ATTRIBUTES if name in ADMITTING_ATTRIBUTES - {"authentication"}}
"""The attributes of a TPG that decide who gets access, and have the same value in each map."""


def close_access(item: lio_objects.DesiredObject) -> lio_objects.DesiredObject:
    """Return the object without access that no map gives; the same object if it gives none."""
    match item:
        case lio_objects.Tpg():
            return with_attributes(item, _CLOSED)
        case lio_objects.NodeAcl() if item.overrides_authentication:
            return replace(item, overrides_authentication=False)
        case _:
            return item


def with_attributes(tpg: lio_objects.Tpg, values: dict[str, str]) -> lio_objects.Tpg:
    """Return the TPG with other values of the attributes that it has, in their order."""
    attributes = tuple((name, values.get(name, value)) for name, value in tpg.attributes)
    return tpg if attributes == tpg.attributes else replace(tpg, attributes=attributes)
