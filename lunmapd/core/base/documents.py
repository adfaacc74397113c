"""Documents: the canonical bytes of an object, and strict decoding that reports the place of a problem.

The canonical form is JSON with the fields in the order of the type and without defaults. So a field that a
later schema adds does not change the bytes, nor the digest, of an untouched document.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from lunmapd.core.base.errors import LunmapdError, Place, show_place
from lunmapd.core.base.text import nearest, suggestion

_T = TypeVar("_T")

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<where>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|\.([A-Za-z_]\w*)")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)

encode: Callable[[Any], bytes] = msgspec.json.Encoder(order="deterministic").encode
"""Returns the canonical bytes of a document."""


class DocumentError(LunmapdError):
    """A document can't be decoded: `place` is the path inside it, `reason` a sentence."""

    def __init__(self, place: Place, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{show_place(place)}: {reason}")


def decode(data: bytes, kind: type[_T], place: Place = ()) -> _T:
    """Decode the JSON bytes of a document of type `kind` at `place`. Raises DocumentError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(error, kind, place) from None


def convert(value: object, kind: type[_T], place: Place = ()) -> _T:
    """Convert plain values (dict, list, str) to a document of type `kind`; numbers may be text.

    Raises DocumentError.
    """
    try:
        return msgspec.convert(value, type=kind, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _explain(error, kind, place) from None


def _explain(error: Exception, kind: type, place: Place) -> DocumentError:
    match = _AT.match(str(error))
    assert match is not None
    what, where = match["what"], match["where"] or ""
    steps = tuple(int(index) if index else name for index, name in _STEP.findall(where))
    if unknown := _UNKNOWN.match(what):
        return DocumentError(
            (*place, *steps, unknown[1]),
            f"unknown field{suggestion(nearest(unknown[1], _field_names(kind)))}",
        )
    return DocumentError((*place, *steps), _plain(what))


def _plain(what: str) -> str:
    text = what.replace("Object missing required field", "missing required field").replace("`", "'")
    return text[:1].lower() + text[1:]


def _field_names(kind: type) -> set[str]:
    """Return the field names of a document type and of the types inside it."""
    names: set[str] = set()
    waiting: list[Any] = [kind]
    while waiting:
        item = waiting.pop()
        if isinstance(item, type) and issubclass(item, msgspec.Struct):
            fields = msgspec.structs.fields(item)
            names.update(field.encode_name for field in fields)
            waiting.extend(field.type for field in fields)
        else:
            waiting.extend(getattr(item, "__args__", ()))
    return names
