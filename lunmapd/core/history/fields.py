"""The changed fields of an object, for people and programs. Passwords are never shown, not even sealed."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import UNSET, Struct

from lunmapd.core.base.documents import DocumentError, decode, encode
from lunmapd.core.history.changes import Change, as_bytes

HIDDEN = "(secret)"
SECRET_FIELDS = frozenset({"password"})
Values = dict[str, Any]
"""The fields of a document, or the members of one of them, as JSON values."""
_PLAIN = re.compile(r"[A-Za-z_]\w*")


class FieldChange(Struct, frozen=True, omit_defaults=True):
    """The change of one field from `before` to `after`, as JSON values; UNSET if the field is absent.

    An added or removed element of a list is a change of its own.
    """

    field: str
    before: Any = UNSET
    after: Any = UNSET

    @property
    def top_field(self) -> str:
        """The top-level field of the object that it is in."""
        return re.split(r"[.\[]", self.field, maxsplit=1)[0]

    def __str__(self) -> str:
        if self.before is UNSET:
            return f"{self.field}: + {_shown(self.after)}"
        if self.after is UNSET:
            return f"{self.field}: - {_shown(self.before)}"
        return f"{self.field}: {_shown(self.before)} -> {_shown(self.after)}"


def _shown(value: object) -> str:
    return encode(value).decode()


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
    old, new = field_values(as_bytes(change.before)), field_values(as_bytes(change.after))
    return tuple(_differences("", old, new))


def changed_field_names(change: Change) -> tuple[str, ...]:
    """Return the names of the top-level fields in which the two states of an object differ."""
    old, new = field_values(as_bytes(change.before)), field_values(as_bytes(change.after))
    return tuple(name for name in {**old, **new} if old.get(name, UNSET) != new.get(name, UNSET))


def field_values(data: bytes | None) -> Values:
    """Return the fields of a document as JSON values; none if it is absent or can't be decoded."""
    if data is None:
        return {}
    try:
        return decode(data, dict[str, Any])
    except DocumentError:
        return {}


def members(value: Values | list[Any]) -> Values:
    """Return the members of a mapping, or those of a list by identity: maps by target and host or group."""
    if isinstance(value, dict):
        return value
    return {_identity(item): item for item in value}


def _identity(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return " ".join(str(item.get(name, "")) for name in ("target", "initiator", "group"))


def leaves(values: Values, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return every value that has no members, by its place in the members of `values`."""
    found: dict[tuple[str, ...], Any] = {}
    for name, value in values.items():
        inner = (*place, name)
        found |= leaves(members(value), inner) if isinstance(value, dict | list) else {inner: value}
    return found


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
