"""Sentences about plain values that are not of their field's type, with the choices that there are."""

from collections.abc import Mapping, Sequence
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from lunmapd.core.base.text import nearest, suggestion

_PLAIN_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Mapping: "a mapping",
    dict: "a mapping",
    tuple: "a list",
}


def alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the parts of a union, or the kind itself."""
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def structs_in(kind: Any) -> list[type[Struct]]:
    """Return the structs of a union, or the one that the kind is."""
    return [part for part in alternatives(kind) if isinstance(part, type) and issubclass(part, Struct)]


def choice_sentence(value: object, choices: Sequence[str]) -> str:
    """Return a sentence about a value that is none of the choices, with the nearest of them."""
    near = nearest(value, choices) if isinstance(value, str) else ""
    return f"{_got(value, shown=True)} is none of {', '.join(choices)}{suggestion(near)}"


def tags_of(kind: Any) -> dict[str, list[str]]:
    """Return the tag field of the structs of a union, with their tags; empty without a tag."""
    configs = [struct.__struct_config__ for struct in structs_in(kind)]
    return {str(config.tag_field): [str(each.tag) for each in configs] for config in configs if config.tag}


def type_sentence(value: object, kind: Any) -> str:
    """Return a sentence about a value that is not of a kind, which may be a union."""
    words = list(dict.fromkeys(_words(part) for part in alternatives(kind) if part is not type(None)))
    if isinstance(kind, type) and issubclass(kind, Enum) and isinstance(value, str):
        return choice_sentence(value, [str(each.value) for each in kind])
    if tags := tags_of(kind):
        field, names = next(iter(tags.items()))
        words = [f"a mapping with '{field}' ({', '.join(names)})"]
    shown = not _PLAIN_WORDS.keys().isdisjoint(alternatives(kind)) and str not in alternatives(kind)
    return f"expected {' or '.join(words)}, got {_got(value, shown=shown)}"


def _words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(each.value) for each in kind)}"
    if structs := structs_in(kind):
        required = [field.name for field in fields(structs[0]) if field.required]
        return f"a mapping with {', '.join(required)}" if required else "a mapping"
    return _PLAIN_WORDS[get_origin(kind) or kind]


def _got(value: object, *, shown: bool) -> str:
    """Return a value in words. A text where a mapping or list belongs is not shown: it may be a password."""
    if value is None:
        return "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    if shown:
        return repr(value)
    return "text" if isinstance(value, str) else "a number"
