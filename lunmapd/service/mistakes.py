"""Plain values as a settings struct, with every mistake at once: a first one must not hide the others."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from lunmapd.core.base.documents import DocumentError, convert
from lunmapd.core.base.errors import Place


class Mistake(NamedTuple):
    """What is wrong at `place`; `about` is what can't be judged any further, which may be a key that is not there."""

    place: Place
    sentence: str
    about: Place


def read(value: object, kind: Any, place: Place = ()) -> tuple[Any, list[Mistake]]:
    """Return `value` as a `kind`, with a stand-in for whatever is wrong in it, and all that is."""
    struct = _struct(kind)
    if struct is not None and isinstance(value, dict):
        return _read_struct(value, struct, place)
    if get_origin(kind) is tuple and isinstance(value, list):
        both = [read(item, get_args(kind)[0], (*place, index)) for index, item in enumerate(value)]
        return tuple(item for item, _ in both), [mistake for _, found in both for mistake in found]
    try:
        return convert(value, kind, place), []
    except DocumentError as error:
        return _blank(kind), [Mistake(error.place, error.reason, place)]


def related(one: Place, other: Place) -> bool:
    """Tell whether one of two places is within the other, or they are the same."""
    return all(left == right for left, right in zip(one, other, strict=False))


def _read_struct(
    value: Mapping[str, object], kind: type[Struct], place: Place
) -> tuple[Struct, list[Mistake]]:
    known = {field.name: field for field in fields(kind)}
    meant = {name: _nearest(name, kind) for name in value if name not in known}
    found = [
        Mistake((*place, name), f"unknown field{_suggest(near)}", (*place, name if near in value else near))
        for name, near in meant.items()
    ]
    made: dict[str, object] = {}
    for name, field in known.items():
        inner = (*place, name)
        if name in value:
            made[name], wrong = read(value[name], field.type, inner)
            if wrong and wrong[0].about == inner and not field.required:
                del made[name]
            found += wrong
        elif field.required:
            made[name] = _blank(field.type)
            if name not in meant.values():
                found.append(Mistake(place, f"missing required field '{name}'", inner))
    return kind(**made), found


def _struct(kind: Any) -> type[Struct] | None:
    """Return the struct that a kind is, or may be beside None."""
    parts = (kind, *get_args(kind)) if get_origin(kind) is not tuple else ()
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Struct)), None)


def _blank(kind: Any) -> object:
    """Return something of this kind, where there is nothing usable: nobody gets to see it."""
    if type(None) in get_args(kind):
        return None
    struct = _struct(kind)
    if struct is not None:
        return struct(**{field.name: _blank(field.type) for field in fields(struct) if field.required})
    return (get_origin(kind) or kind)()


def _nearest(name: str, kind: type[Struct]) -> str:
    """Return the key that was meant: one of this struct, else one below it, with dots; "" if nothing is near."""
    here = difflib.get_close_matches(name, [field.name for field in fields(kind)], n=1)
    below = {inner: path for path, inner in _below(kind)}
    there = difflib.get_close_matches(name, sorted(below), n=1)
    return here[0] if here else below[there[0]] if there else ""


def _below(kind: type[Struct], above: str = "") -> Iterator[tuple[str, str]]:
    for field in fields(kind):
        struct = _struct(field.type)
        if above:
            yield f"{above}{field.name}", field.name
        if struct is not None:
            yield from _below(struct, f"{above}{field.name}.")


def _suggest(near: str) -> str:
    return f"; did you mean '{near}'?" if near else ""
