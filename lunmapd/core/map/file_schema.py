"""The JSON Schema of map files, made from the structs of the map. Pure.

Editors complete and check files with it. It knows form, words and ranges; the rules that compare objects are
those of `offline`. YAML readers take `off` for false and a serial of digits for a number, as `mapfile` does
not: the schema accepts both.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lunmapd.core.base import names
from lunmapd.core.base.lunmap import Group, Initiator, Lun, Node, Scope, Target
from lunmapd.core.map.file_base import FileBase
from lunmapd.core.map.mapfile import SIZE_PATTERN
from lunmapd.core.map.rules.floating import MAX_FAILBACK, MAX_GRACE

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class MapFileForm(msgspec.Struct, forbid_unknown_fields=True):
    """A map: who may see which volume. docs/map.md explains every field."""

    base: FileBase | None = None
    luns: dict[str, Lun] | None = None
    targets: dict[str, Target] | None = None
    initiators: dict[str, Initiator | None] | None = None
    groups: dict[str, Group | None] | None = None
    nodes: dict[str, Node] | None = None


def _number(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


_NAMED = {"propertyNames": {"pattern": names.NAME_PATTERN}}
_ISCSI_NAMED = {"propertyNames": {"pattern": names.ISCSI_NAME_PATTERN}}
_SIZE = {"type": "string", "pattern": SIZE_PATTERN}
_NODE_LIST = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_REFINED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("MapFileForm", "luns"): _NAMED,
    ("MapFileForm", "groups"): _NAMED,
    ("MapFileForm", "nodes"): _NAMED,
    ("MapFileForm", "targets"): _ISCSI_NAMED,
    ("MapFileForm", "initiators"): _ISCSI_NAMED,
    ("Lun", "size"): {"anyOf": [_number(1, names.MAX_SIZE), _SIZE, {"type": "null"}]},
    ("Map", "lun"): _number(0, names.MAX_LUN_NUMBER),
    ("Node", "tpg_tag"): _number(1, names.MAX_TAG),
    ("PortalGroup", "port_id"): _number(1, names.MAX_TAG),
    ("FloatingGroup", "tpg_tag"): _number(1, names.MAX_TAG),
    ("FloatingGroup", "port_id"): _number(1, names.MAX_TAG),
    ("FloatingGroup", "failback_after"): _number(0, MAX_FAILBACK),
    ("FloatingGroup", "grace"): _number(0, MAX_GRACE),
    ("Target", "floating"): _NAMED,
    ("Takeover", "failback_after"): _number(0, MAX_FAILBACK),
    ("Takeover", "grace"): _number(0, MAX_GRACE),
}
_ONE_OF_TWO = {"oneOf": [{"required": ["initiator"]}, {"required": ["group"]}]}


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a map file."""
    schema: dict[str, Any] = {"$schema": _DIALECT, **msgspec.json.schema(MapFileForm)}
    definitions = schema["$defs"]
    for (name, field), refinement in _REFINED.items():
        definitions[name]["properties"][field] |= refinement
    definitions["Map"] |= _ONE_OF_TWO
    definitions[Scope.__name__]["enum"].append(False)
    nodes = definitions["Target"]["properties"]["nodes"]
    nodes["additionalProperties"] = {"anyOf": [nodes["additionalProperties"], {"type": "null"}]}
    definitions["Target"]["properties"]["nodes"] = {"anyOf": [nodes, _NODE_LIST]}
    widened: dict[str, Any] = _widen_text(schema)
    return widened


def _widen_text(schema: Any) -> Any:
    """Let plain text also be what YAML readers make of it: a number, true or false."""
    if isinstance(schema, list):
        return [_widen_text(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    widened = {key: _widen_text(value) for key, value in schema.items()}
    if schema.get("type") == "string" and "pattern" not in schema:
        widened["type"] = ["string", "number", "boolean"]
    return widened
