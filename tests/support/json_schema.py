"""A check of JSON values against a JSON Schema, for the keywords that the schema of map files has."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
_SILENT = {"title", "description", "default", "$defs", "$schema", "discriminator", "properties", "items"}
_Schema = Mapping[str, Any]


def errors(schema: _Schema, value: Any, root: _Schema | None = None) -> list[str]:
    """Return the keywords of a schema that a value breaks. Raises KeyError for an unknown keyword."""
    top = root or schema
    broken = [
        f"{keyword}: {value!r}"
        for keyword, wanted in schema.items()
        if keyword not in _SILENT and not _HOLDS[keyword](wanted, value, schema, top)
    ]
    return broken + [each for inner, member in _members(schema, value) for each in errors(member, inner, top)]


def _matches(value: Any, schemas: Sequence[_Schema], root: _Schema) -> int:
    return sum(not errors(each, value, root) for each in schemas)


def _is_type(names: str | list[str], value: Any, _schema: _Schema, _root: _Schema) -> bool:
    return any(_TYPES[name](value) for name in ([names] if isinstance(names, str) else names))


_HOLDS: Mapping[str, Callable[[Any, Any, _Schema, _Schema], bool]] = {
    "$ref": lambda path, value, _, root: not errors(root["$defs"][path.rpartition("/")[2]], value, root),
    "type": _is_type,
    "enum": lambda words, value, *_: any(value == each and type(value) is type(each) for each in words),
    "anyOf": lambda schemas, value, _, root: _matches(value, schemas, root) > 0,
    "oneOf": lambda schemas, value, _, root: _matches(value, schemas, root) == 1,
    "required": lambda names, value, *_: not isinstance(value, dict) or value.keys() >= set(names),
    "pattern": lambda text, value, *_: not isinstance(value, str) or re.search(text, value) is not None,
    "minimum": lambda least, value, *_: not _TYPES["number"](value) or value >= least,
    "maximum": lambda most, value, *_: not _TYPES["number"](value) or value <= most,
    "uniqueItems": lambda _, value, *__: not isinstance(value, list) or len(set(value)) == len(value),
    "propertyNames": lambda form, value, _, root: all(not errors(form, name, root) for name in value or ()),
    "additionalProperties": lambda form, value, schema, _: (
        form is not False or not isinstance(value, dict) or value.keys() <= schema["properties"].keys()
    ),
}


def _members(schema: _Schema, value: Any) -> Iterator[tuple[Any, _Schema]]:
    """Yield the members of a value that have a schema of their own, each with it."""
    if isinstance(value, list) and "items" in schema:
        yield from ((each, schema["items"]) for each in value)
    for name, each in value.items() if isinstance(value, dict) else ():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if isinstance(inner, dict):
            yield each, inner
