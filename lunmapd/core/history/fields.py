"""The changed fields of an object, for people and programs. Passwords are never shown, not even sealed."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

from lunmapd.core.base.documents import DocumentError, decode
from lunmapd.core.history.changes import Change, as_bytes

HIDDEN = "(secret)"
SECRET_FIELDS = frozenset({"password"})
_PLAIN = re.compile(r"[A-Za-z_]\w*")


class FieldChange(Struct, frozen=True, omit_defaults=True):
    """The change of one field from `before` to `after`, as JSON values; UNSET if the field is absent.

    An added or removed element of a list is a change of its own.
    """

    field: str
    before: Any = UNSET
    after: Any = UNSET


class ChangeKind(StrEnum):
    """The kind of change of an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Difference(Struct, frozen=True):
    """The changes of one object of the map, at `path` such as `luns/db1`."""

    path: str
    kind: ChangeKind
    fields: tuple[FieldChange, ...]


def differences(changes: Iterable[Change]) -> tuple[Difference, ...]:
    """Return the changes of objects as changes of their fields."""
    return tuple(Difference(change.path, _kind(change), changed_fields(change)) for change in changes)


def _kind(change: Change) -> ChangeKind:
    if change.before is UNSET:
        return ChangeKind.ADDED
    return ChangeKind.REMOVED if change.after is UNSET else ChangeKind.CHANGED


def changed_fields(change: Change) -> tuple[FieldChange, ...]:
    """Return the fields in which the two states of an object differ."""
    return tuple(_differences("", _value(as_bytes(change.before)), _value(as_bytes(change.after))))


def changed_field_names(change: Change) -> tuple[str, ...]:
    """Return the names of the top-level fields in which the two states of an object differ."""
    old, new = _value(as_bytes(change.before)), _value(as_bytes(change.after))
    return tuple(name for name in {**old, **new} if old.get(name, UNSET) != new.get(name, UNSET))


def _value(data: bytes | None) -> dict[str, Any]:
    """Decode a document; one that can't be decoded has no fields to compare."""
    if data is None:
        return {}
    try:
        return decode(data, dict[str, Any])
    except DocumentError:
        return {}


def _differences(place: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(_join(place, name), old.get(name, UNSET), new.get(name, UNSET))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _in_list(place, old, new)
    elif old != new:
        yield FieldChange(place, _masked(place, old), _masked(place, new))


def _in_list(place: str, old: list[Any], new: list[Any]) -> Iterator[FieldChange]:
    removed, added = [item for item in old if item not in new], [item for item in new if item not in old]
    yield from (FieldChange(place, before=_masked(place, item)) for item in removed)
    yield from (FieldChange(place, after=_masked(place, item)) for item in added)
    if old != new and not removed and not added:
        yield FieldChange(place, _masked(place, old), _masked(place, new))


def _join(place: str, name: str) -> str:
    if not _PLAIN.fullmatch(name):
        return f"{place}[{name}]"
    return f"{place}.{name}" if place else name


def _masked(place: str, value: Any) -> Any:
    if value is UNSET:
        return UNSET
    if place.rpartition(".")[2] in SECRET_FIELDS:
        return HIDDEN
    if isinstance(value, dict):
        return {name: _masked(name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(place, inner) for inner in value]
    return value
