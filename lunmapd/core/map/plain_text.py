"""The values of a YAML text by libyaml, which reads it many times faster than PyYAML's own parser.

It refuses each text that needs more than its values and their lines: one with an error, an anchor, a tag, a
block scalar, or a key that is given twice. `source` leaves these texts to PyYAML's parser.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from lunmapd.core.base.errors import Place

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
"""The plain scalars that are empty values (YAML 1.1, as yaml.resolver.Resolver has them)."""
_BLOCKS = frozenset({"|", ">"})
"""The styles of scalars whose head libyaml reads less strictly."""
# Line ends other than "\n", tabs and a byte order mark were not compared. libyaml takes "?" for text where
# PyYAML's parser refuses it.
_UNTRIED = frozenset("?\t\r\x85\u2028\u2029\ufeff")


class NotPlainError(Exception):
    """A text that is no YAML, has more than values, or can't be read on this machine."""


def read_plain(text: str) -> Any:
    """Return the values of a text: dict, list, str or None. Raises NotPlainError."""
    return _read(text, None)


def lines_of(text: str) -> dict[Place, int]:
    """Return the line of each place: that of a mapping's key or of a list's item. Raises NotPlainError."""
    lines: dict[Place, int] = {}
    _read(text, lines)
    return lines


def _read(text: str, lines: dict[Place, int] | None) -> Any:
    loader: Any = getattr(yaml, "CSafeLoader", None)
    if loader is None or not _UNTRIED.isdisjoint(text):
        raise NotPlainError
    try:
        parser = loader(text)
        try:
            return _Reader(parser.get_event, lines).document()
        finally:
            parser.dispose()
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise NotPlainError from None


class _Reader(NamedTuple):
    """Reads values from the events of a parser, and the lines of their places if there is a dict for them."""

    following: Callable[[], Any]
    lines: dict[Place, int] | None

    def document(self) -> Any:
        """Return the value of the only document of a stream. An empty one has another line in each parser."""
        self.following()
        if isinstance(self.following(), yaml.StreamEndEvent):
            raise NotPlainError
        value = self._item(self.following(), ())
        self.following()
        if value is None or not isinstance(self.following(), yaml.StreamEndEvent):
            raise NotPlainError
        return value

    def _item(self, event: Any, place: Place) -> Any:
        self._note(event, place)
        return self._value(event, place)

    def _note(self, event: Any, place: Place) -> None:
        if self.lines is not None:
            self.lines[place] = event.start_mark.line + 1

    def _value(self, event: Any, place: Place) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None or event.tag is not None:
            raise NotPlainError
        if isinstance(event, yaml.ScalarEvent):
            if event.style in _BLOCKS:
                raise NotPlainError
            return None if event.implicit[0] and event.value in _NULLS else event.value
        return self._mapping(place) if isinstance(event, yaml.MappingStartEvent) else self._sequence(place)

    def _mapping(self, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(key := self.following(), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent) or key.anchor is not None or key.value in values:
                raise NotPlainError
            inner = (*place, key.value)
            self._note(key, inner)
            values[key.value] = self._value(self.following(), inner)
        return values

    def _sequence(self, place: Place) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := self.following(), yaml.SequenceEndEvent):
            values.append(self._item(event, (*place, len(values))))
        return values
