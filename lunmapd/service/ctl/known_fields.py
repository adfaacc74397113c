"""The fields and values of `FIELD=VALUE` for the completion by a shell, from the structs of the map."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lunmapd.core.base.lunmap import Group, Initiator, Lun, Node, Target
from lunmapd.core.map.file_schema import MapFileForm
from lunmapd.service.ctl.start.completion import Names

_NAMED_BY = {"nodes": "nodes", "preferred": "nodes", "initiators": "initiators"}
"""The section of the names that are the values of a field."""
_SET_ELSEWHERE = {"maps", "state", "chap", "mutual_chap", "discovery"}
_OF_NO_FIELD = {"type", "floating"}
"""The kind of a backing never changes, and a floating group has a verb of its own."""
_KINDS = {
    "luns": Lun.__name__,
    "targets": Target.__name__,
    "initiators": Initiator.__name__,
    "groups": Group.__name__,
    "nodes": Node.__name__,
    "floating": "FloatingGroup",
}


def complete_assignment(section: str, word: str, names: Names) -> list[str]:
    """Return what an assignment to an object of a section can go on as: fields with their =, or values.

    `word` is its begin, such as `pref` or `preferred=n1,n`. `names` are those of the map by section.
    """
    fields, (field, equals, value) = _fields_of(section), word.partition("=")
    if not equals:
        return [f"{name}=" for name in fields if name.startswith(field)]
    before, comma, last = value.rpartition(",")
    section_of_names = _NAMED_BY.get(field.rpartition(".")[2], "")
    known = names.get(section_of_names) or fields.get(field, [])
    return [f"{field}={before}{comma}{each}" for each in known if each.startswith(last)]


def _fields_of(section: str) -> dict[str, list[str]]:
    """Return the fields of the objects of a section, each with the words that it can be."""
    definitions = msgspec.json.schema(MapFileForm)["$defs"]
    return dict(_walk(definitions, _KINDS[section], ""))


def _walk(definitions: Mapping[str, Any], kind: str, above: str) -> Iterator[tuple[str, list[str]]]:
    for name, form in definitions[kind]["properties"].items():
        if name in _SET_ELSEWHERE or name in _OF_NO_FIELD:
            continue
        field, below = (
            f"{above}{name}",
            [each for each in _references(form) if "enum" not in definitions[each]],
        )
        for each in below:
            yield from _walk(definitions, each, f"{field}.")
        if not below:
            yield field, _words(definitions, form)


def _references(form: Mapping[str, Any]) -> list[str]:
    """Return the structs and enumerations that a field can be."""
    forms = form.get("anyOf", [form])
    return [each["$ref"].rpartition("/")[2] for each in forms if "$ref" in each]


def _words(definitions: Mapping[str, Any], form: Mapping[str, Any]) -> list[str]:
    if form.get("type") == "boolean":
        return ["true", "false"]
    return [str(word) for each in _references(form) for word in definitions[each]["enum"]]
