"""The map as a YAML file: reading it with the line of every problem, and printing it."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from lunmapd.core.base.errors import InvalidInputError, Place, Problem
from lunmapd.core.base.lunmap import SECTIONS, Document, Lun, Lunmap
from lunmapd.core.base.names import parse_portal
from lunmapd.core.base.plain_values import FormProblem, read_values
from lunmapd.core.base.sections import Section
from lunmapd.core.history.changes import build_map
from lunmapd.core.map.file_base import FileBase

if TYPE_CHECKING:
    from lunmapd.core.map.source import YamlSource

_SIZE = re.compile(r"(\d{1,20})\s*([KMGTP]i?)?B?", re.IGNORECASE)
SIZE_PATTERN = r"^\s*[0-9]{1,20}\s*([KMGTPkmgtp][Ii]?)?[Bb]?\s*$"
"""The texts that `parse_size` accepts, for the JSON Schema, which knows no flags."""
_EXPONENT = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_PART = 500  # objects
_UNITS = ("PiB", "TiB", "GiB", "MiB", "KiB")


def parse_size(text: str) -> int:
    """Return the bytes of `64MiB`, `1 TiB`, `10G` (powers of 1024) or `65536`.

    Raises ValueError with a sentence.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size: use bytes or KiB, MiB, GiB, TiB, PiB, such as 64MiB")
    return int(match[1]) << (10 * _EXPONENT[(match[2] or "").lower().rstrip("i")])


def show_size(size: int) -> str:
    """Return a size in the largest unit that divides it; `parse_size` is the inverse."""
    for exponent, unit in zip(range(5, 0, -1), _UNITS, strict=True):
        if size and size % (1 << (10 * exponent)) == 0:
            return f"{size >> (10 * exponent)}{unit}"
    return str(size)


def parse_map(text: str, name: str = "lunmap.yaml") -> tuple[Lunmap, "YamlSource"]:
    """Return the map of a YAML text, and the source, which knows the line of each place.

    Raises InvalidInputError with every problem of form and its `file:line`, in the order of the lines. The
    rules of the map are not checked here (see `rules`), and its base is read by `base_of`.
    """
    read = read_map(text, name)
    if located := read.source.with_form(read.form):
        raise InvalidInputError(located)
    return read.lunmap, read.source


class ReadMap(NamedTuple):
    """A map that was read from a text, and what is wrong with its form; bad values are replaced."""

    lunmap: Lunmap
    source: "YamlSource"
    form: list[FormProblem]


def read_map(text: str, name: str) -> ReadMap:
    """Return the map of a YAML text with all problems of form. Raises InvalidInputError if it is not YAML."""
    from lunmapd.core.map.source import YamlSource  # noqa: PLC0415 - it imports the parser

    source = YamlSource(text, name)
    top, problems = read_values({} if source.value is None else source.value, _Sections)
    sections: dict[Section, dict[str, Document]] = {section: {} for section in SECTIONS}
    for section, kind in SECTIONS.items():
        for key, value in (getattr(top, section) or {}).items():
            spelled, misspelled = _spell_out((section, key), value)
            sections[section][key], wrong = read_values(spelled, kind, (section, key))
            problems += [*misspelled, *wrong]
    return ReadMap(build_map(sections), source, problems)


def read_document(section: Section, name: str, value: Mapping[str, Any]) -> Document:
    """Return one object of plain values, spelled as in a file. Raises InvalidInputError."""
    place: Place = (section, name)
    spelled, misspelled = _spell_out(place, value)
    document, wrong = read_values(spelled, SECTIONS[section], place)
    if problems := (*misspelled, *wrong):
        raise InvalidInputError([Problem(each.place, each.message) for each in problems])
    read: Document = document
    return read


class _Sections(msgspec.Struct, forbid_unknown_fields=True):
    base: FileBase | None = None
    luns: dict[str, Any] | None = None
    targets: dict[str, Any] | None = None
    initiators: dict[str, Any] | None = None
    groups: dict[str, Any] | None = None
    nodes: dict[str, Any] | None = None


_Spelled = tuple[Any, list[FormProblem]]


def _spell_out(place: Place, value: Any) -> _Spelled:
    """Return a value with the short spellings of a file replaced by those of a document, and the problems.

    Any other wrong value is left to the decoder.
    """
    if value is None:
        return {}, []
    if not isinstance(value, dict):
        return value, []
    if place[0] == "luns" and isinstance(value.get("size"), str):
        return _with_size(place, value)
    if place[0] == "targets":
        nodes, problems = _target_nodes((*place, "nodes"), value.get("nodes"))
        return {**value, **nodes, **_floating(value.get("floating"))}, problems
    if place[0] == "nodes":
        return {**value, **_portals(value)}, []
    return value, []


def _with_size(place: Place, lun: dict[str, Any]) -> _Spelled:
    try:
        return {**lun, "size": parse_size(lun["size"])}, []
    except ValueError as error:
        inner = (*place, "size")
        return {**lun, "size": None}, [FormProblem(inner, str(error), inner)]


def _target_nodes(place: Place, nodes: Any) -> _Spelled:
    if isinstance(nodes, list):
        groups, problems = _by_name(place, nodes)
        return {"nodes": groups}, problems
    if isinstance(nodes, dict):
        return {"nodes": {name: _portal_group(group) for name, group in nodes.items()}}, []
    return {}, []


def _by_name(place: Place, nodes: list[Any]) -> _Spelled:
    groups: dict[str, Any] = {}
    problems: list[FormProblem] = []
    for index, name in enumerate(nodes):
        inner = (*place, index)
        if not isinstance(name, str):
            problems.append(FormProblem(inner, "expected the name of a node", inner))
        elif name in groups:
            problems.append(FormProblem(inner, f"node {name!r} is given twice", inner))
        else:
            groups[name] = {}
    return groups, problems


def _portal_group(group: Any) -> Any:
    if group is None:
        return {}
    return {**group, **_portals(group)} if isinstance(group, dict) else group


def _floating(groups: Any) -> dict[str, Any]:
    if not isinstance(groups, dict):
        return {}
    return {"floating": {name: _portal_group(group) for name, group in groups.items()}}


def _portals(value: dict[str, Any]) -> dict[str, Any]:
    return {
        field: [_portal(portal) for portal in value[field]]
        for field in ("portals", "iser_portals")
        if isinstance(value.get(field), list)
    }


def _portal(text: Any) -> Any:
    """Return a portal in its canonical spelling; any other text unchanged, and the rules refuse it."""
    try:
        return parse_portal(text) if isinstance(text, str) else text
    except ValueError:
        return text


def show_map(lunmap: Lunmap, only: Sequence[Section] = tuple(SECTIONS)) -> str:
    """Return a map, or some of its sections, as YAML; `parse_map` is the inverse."""
    return "".join(_show_section(section, lunmap.section(section)) for section in only)


def _show_section(section: Section, members: Mapping[str, Document]) -> str:
    """Return a section as YAML, written in parts: the whole text would need a node for each of its values."""
    import yaml  # noqa: PLC0415 - most verbs show no map

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    names = sorted(members)
    parts = [names[start : start + _PART] for start in range(0, len(names), _PART)] or [names]
    texts = (
        yaml.dump(
            {section: {name: _plain(members[name]) for name in part}},
            Dumper=dumper,
            sort_keys=False,
            width=110,
        )
        for part in parts
    )
    # Each part begins with the line of the section.
    return next(texts) + "".join(text.partition("\n")[2] for text in texts)


def _plain(document: Document) -> Any:
    plain = msgspec.to_builtins(document)
    if isinstance(document, Lun) and "size" in plain:
        plain["size"] = show_size(plain["size"])
    return plain
