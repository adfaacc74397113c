"""The map as a YAML file: reading with the line of every problem, and printing.

YAML is read as a tree of nodes, which keeps the lines and shows duplicate keys; a plain `yaml.safe_load` would
silently keep the last of two Luns with one name.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from lunmapd.core.changes import build
from lunmapd.core.documents import DocumentError, convert
from lunmapd.core.errors import InvalidMapError, Place, Problem
from lunmapd.core.lunmap import SECTIONS, Document, Lunmap, Section
from lunmapd.core.names import parse_portal

_SIZE = re.compile(r"(\d+)\s*([KMGTP]i?)?B?", re.IGNORECASE)
_EXPONENT = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_UNITS = ("PiB", "TiB", "GiB", "MiB", "KiB")


class Source:
    """A YAML text read into plain values, which remembers the line of each place and every duplicate key."""

    def __init__(self, text: str, name: str) -> None:
        """Read `text`; `name` stands for it in messages. Raises InvalidMapError for text that is not YAML."""
        self.name = name
        self.problems: list[Problem] = []
        self._lines: dict[Place, int] = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self.value = None if root is None else self._read(root, (), ())
        except yaml.YAMLError as error:
            raise InvalidMapError([self._syntax(error)]) from None
        except RecursionError:
            raise InvalidMapError([Problem((), "nested too deeply", name)]) from None

    def problem(self, place: Place, message: str) -> Problem:
        """Make a problem that names the line of `place`, or of the nearest thing around it."""
        near = place
        while near and near not in self._lines:
            near = near[:-1]
        return Problem(place, message, f"{self.name}:{self._lines.get(near, 1)}")

    def _syntax(self, error: yaml.YAMLError) -> Problem:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        return Problem((), f"not valid YAML: {what}", f"{self.name}{line}")

    def _read(self, node: yaml.Node, place: Place, around: tuple[yaml.Node, ...]) -> Any:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if node in around:
            self.problems.append(self.problem(place, "an alias that contains itself"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, place, (*around, node))
        if isinstance(node, yaml.SequenceNode):
            return [
                self._read(item, (*place, index), (*around, node)) for index, item in enumerate(node.value)
            ]
        return self._read_scalar(node, place)

    def _read_mapping(
        self, node: yaml.MappingNode, place: Place, around: tuple[yaml.Node, ...]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner = (*place, key)
            if key in values:
                first = self._lines[inner]
                line = key_node.start_mark.line + 1
                self.problems.append(
                    Problem(inner, f"is already given in line {first}", f"{self.name}:{line}")
                )
                continue
            self._lines[inner] = key_node.start_mark.line + 1
            values[key] = self._read(value_node, inner, around)
        return values

    def _read_scalar(self, node: yaml.Node, place: Place) -> Any:
        loader = yaml.SafeLoader("")
        try:
            # Names such as `on` or `2026-01-01` are text here, and a number is a number.
            if node.tag in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"}:
                return node.value
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            self.problems.append(self.problem(place, f"{node.value!r} is not a value that is known here"))
            return None
        finally:
            loader.dispose()


def parse_size(text: str) -> int:
    """Return bytes for `64MiB`, `1 TiB`, `10G` (powers of 1024) or `65536`. Raises ValueError with a sentence."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size: use bytes or KiB, MiB, GiB, TiB, PiB, such as 64MiB")
    return int(match[1]) << (10 * _EXPONENT[(match[2] or "").lower().rstrip("i")])


def show_size(size: int) -> str:
    """Print a size in the largest unit that divides it; `parse_size` reads it back."""
    for exponent, unit in zip(range(5, 0, -1), _UNITS, strict=True):
        if size and size % (1 << (10 * exponent)) == 0:
            return f"{size >> (10 * exponent)}{unit}"
    return str(size)


def parse(text: str, name: str = "lunmap.yaml") -> tuple[Lunmap, Source]:
    """Read a map from YAML. Raises InvalidMapError with every problem of form and its `file:line`.

    The rules between objects are not checked here (see `rules`); the Source gives the line for their problems.
    """
    source = Source(text, name)
    problems = list(source.problems)
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    for section, members in _sections(source, problems).items():
        for key, value in members.items():
            try:
                sections[section][key] = convert(
                    _spell_out(section, value), SECTIONS[section], (section, key)
                )
            except DocumentError as error:
                problems.append(source.problem(error.place, error.reason))
    if problems:
        raise InvalidMapError(problems)
    return build(sections), source


def _sections(source: Source, problems: list[Problem]) -> dict[Section, dict[str, Any]]:
    try:
        top = convert(source.value if source.value is not None else {}, _Sections)
    except DocumentError as error:
        problems.append(source.problem(error.place, error.reason))
        return {}
    return {section: getattr(top, section) or {} for section in SECTIONS}


class _Sections(msgspec.Struct, forbid_unknown_fields=True):
    luns: dict[str, Any] | None = None
    targets: dict[str, Any] | None = None
    initiators: dict[str, Any] | None = None
    nodes: dict[str, Any] | None = None


def _spell_out(section: Section, value: Any) -> Any:
    """Turn the short spellings of a file into those of a document; anything odd is left for the decoder to refuse."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        return value
    if section == "luns" and isinstance(value.get("size"), str):
        return {**value, "size": _or_as_is(parse_size, value["size"])}
    if section == "nodes" and isinstance(value.get("portals"), list):
        return {**value, "portals": [_or_as_is(parse_portal, portal) for portal in value["portals"]]}
    return value


def _or_as_is(parser: Any, text: Any) -> Any:
    try:
        return parser(text) if isinstance(text, str) else text
    except ValueError:
        return text


def show(lunmap: Lunmap) -> str:
    """Print a map as YAML that `parse` reads back to the same map."""
    sections = {section: _plain(lunmap.section(section)) for section in SECTIONS}
    for lun in sections["luns"].values():
        if "size" in lun:
            lun["size"] = show_size(lun["size"])
    return str(yaml.safe_dump(sections, sort_keys=False, width=110))


def _plain(members: Mapping[str, Document]) -> dict[str, Any]:
    return {name: msgspec.to_builtins(members[name]) for name in sorted(members)}
