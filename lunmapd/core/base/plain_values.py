"""Conversion of plain values, as a file holds them, to structs, with every problem of form at once."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from lunmapd.core.base.documents import DocumentError, convert
from lunmapd.core.base.errors import Place
from lunmapd.core.base.expectations import (
    alternatives,
    choice_sentence,
    structs_in,
    tags_of,
    type_sentence,
)
from lunmapd.core.base.text import nearest, suggestion


class FormProblem(NamedTuple):
    """A value that is not of its field's type, an unknown key or a missing one.

    No further problem is reported about `about`: the place of the value, of the key that a misspelt one
    stands for, or of the missing key.
    """

    place: Place
    message: str
    about: Place


def read_values(value: object, kind: Any, place: Place = ()) -> tuple[Any, list[FormProblem]]:
    """Return `value` (dict, list, str, None) at `place` as a `kind`, and its problems.

    Each bad value is replaced by its field's default, or by an empty value of its type.
    """
    if isinstance(value, dict):
        struct = _struct_for(kind, value)
        if struct is not None:
            return _read_struct_at_once(value, struct, place)
        if (values := _element(kind, Mapping)) is not None:
            return _read_members({name: (value[name], values, (*place, name)) for name in value})
    if isinstance(value, list) and (item := _element(kind, tuple)) is not None:
        items, problems = _read_members({n: (one, item, (*place, n)) for n, one in enumerate(value)})
        return tuple(items.values()), problems
    try:
        return convert(value, kind, place), []
    except DocumentError as error:
        return _empty(kind), [_form_problem(value, kind, place, error)]


def _form_problem(value: object, kind: Any, place: Place, error: DocumentError) -> FormProblem:
    """Return the problem of a value that msgspec refuses, in words for people."""
    if isinstance(value, dict) and (tagged := tags_of(kind)):
        field, tags = next(iter(tagged.items()))
        if field not in value:
            return FormProblem(place, f"missing required field '{field}' ({', '.join(tags)})", place)
        return FormProblem((*place, field), choice_sentence(value[field], tags), place)
    if error.reason.endswith("out of range"):
        return FormProblem(error.place, error.reason, place)
    return FormProblem(place, type_sentence(value, kind), place)


def related(one: Place, other: Place) -> bool:
    """Return whether one of two places is within the other, or they are the same."""
    return all(left == right for left, right in zip(one, other, strict=False))


def _read_members(
    members: Mapping[Any, tuple[object, Any, Place]],
) -> tuple[dict[Any, Any], list[FormProblem]]:
    read = {name: read_values(*member) for name, member in members.items()}
    return {name: value for name, (value, _) in read.items()}, [
        one for _, some in read.values() for one in some
    ]


def _read_struct_at_once(
    value: Mapping[str, object], kind: type[Struct], place: Place
) -> tuple[Struct, list[FormProblem]]:
    """Return what `_read_struct` does; msgspec converts a value without problems twenty times faster."""
    try:
        return convert(value, kind, place), []
    except DocumentError:
        return _read_struct(value, kind, place)


def _read_struct(
    value: Mapping[str, object], kind: type[Struct], place: Place
) -> tuple[Struct, list[FormProblem]]:
    known_fields = {field.name: field for field in fields(kind)}
    tag = kind.__struct_config__.tag_field
    nearest_keys = {
        name: _nearest_key(name, kind) for name in value if name not in known_fields and name != tag
    }
    problems = [
        FormProblem(
            (*place, name), f"unknown field{_hint(name, near)}", (*place, name if near in value else near)
        )
        for name, near in nearest_keys.items()
    ]
    made: dict[str, object] = {}
    for name, field in known_fields.items():
        inner = (*place, name)
        if name in value:
            made[name], wrong = read_values(value[name], field.type, inner)
            if wrong and wrong[0].about == inner and not field.required:
                del made[name]
            problems += wrong
        elif field.required:
            made[name] = _empty(field.type)
            if name not in nearest_keys.values():
                problems.append(FormProblem(place, f"missing required field '{name}'", inner))
    return kind(**made), problems


def _struct_for(kind: Any, value: Mapping[str, object]) -> type[Struct] | None:
    """Return the struct for a value, None if there is none: of a union the one that the value's tag names."""
    structs = structs_in(kind)
    if len(structs) > 1:
        configs = [(struct, struct.__struct_config__) for struct in structs]
        structs = [one for one, config in configs if value.get(str(config.tag_field)) == config.tag]
    return structs[0] if structs else None


def _element(kind: Any, container: type) -> Any:
    """Return the type of a Mapping's values or of a tuple's items; None if the kind is no such container."""
    for part in alternatives(kind):
        origin = get_origin(part)
        if isinstance(origin, type) and issubclass(origin, container):
            return get_args(part)[1 if container is Mapping else 0]
    return None


def _empty(kind: Any) -> object:
    """Return an empty value of a kind, to stand in for a bad one."""
    if type(None) in alternatives(kind):
        return None
    if structs := structs_in(kind):
        return structs[0](
            **{field.name: _empty(field.type) for field in fields(structs[0]) if field.required}
        )
    plain = get_origin(kind) or kind
    if plain is Mapping:
        return {}
    return next(iter(plain)) if issubclass(plain, Enum) else plain()


def _hint(name: str, near: str) -> str:
    """Return the end of the message about an unknown key; `<<` is YAML's merge key."""
    if name == "<<":
        return "; YAML's merge key is not supported: write the fields, or an alias of a whole value"
    return suggestion(near)


def _nearest_key(name: str, kind: type[Struct]) -> str:
    """Return the known key nearest to `name`: of this struct, else of one below it, with dots; "" if none."""
    below = {inner: path for path, inner in reversed([*_keys_below(kind)])}
    return nearest(name, [field.name for field in fields(kind)]) or below.get(nearest(name, below), "")


def _keys_below(kind: type[Struct], above: str = "") -> Iterator[tuple[str, str]]:
    for field in fields(kind):
        if above:
            yield f"{above}{field.name}", field.name
        for struct in structs_in(_element(field.type, tuple) or field.type):
            yield from _keys_below(struct, f"{above}{field.name}.")
