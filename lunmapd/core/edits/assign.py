"""Setting fields of an object by `FIELD=VALUE`, as in `size=64GiB` or `shared.reservations=off`."""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from lunmapd.core.base.lunmap import Document, Group, Lunmap
from lunmapd.core.base.sections import Section
from lunmapd.core.edits.errors import BadAssignmentError
from lunmapd.core.edits.find import find_host
from lunmapd.core.edits.objects import with_object
from lunmapd.core.map.mapfile import read_document

_LISTS = {"nodes", "initiators", "portals", "iser_portals"}
_STEP = re.compile(r'"([^"]+)"|([^".]+)')
_FIELD = re.compile(r'("[^"]+"|[^".]+)(\.("[^"]+"|[^".]+))*')
_SECRETS = {"chap", "mutual_chap", "discovery"}
_ELSEWHERE = {
    "maps": "'lunmapctl map' and 'unmap' change the maps of a Lun",
    "state": "'lunmapctl drain NODE' and 'undrain NODE' change the state of a node",
}


def assign_fields(section: Section, name: str, document: Document, words: Iterable[str]) -> Document:
    """Return an object with the fields of `FIELD=VALUE` set; an empty VALUE gives a field its default.

    A dot leads into a field, as in `attributes.is_nonrot=1`; a name that has dots is in double quotes, as in
    `backing.overrides."n1.lab"=/dev/sdb`. Items of a list are separated by commas.
    Raises BadAssignmentError, and InvalidInputError for a value of another form.
    """
    plain: dict[str, Any] = to_builtins(document)
    for word in words:
        field, equals, value = word.partition("=")
        if not (equals and field):
            raise BadAssignmentError(f"{word!r} is no assignment: write FIELD=VALUE, such as alias=db")
        path = _steps(field)
        _check_field(path)
        _set(plain, path, value, section)
    return read_document(section, name, plain)


def with_fields(lunmap: Lunmap, section: Section, name: str, words: Iterable[str]) -> Lunmap:
    """Return the map with fields of an object set, as `assign_fields` does.

    The initiators of a group may be given by short names. Raises NoSuchNameError.
    """
    former = lunmap.section(section)[name]
    changed = assign_fields(section, name, former, words)
    if isinstance(changed, Group) and changed != former:
        changed = replace(changed, initiators=tuple(find_host(lunmap, host) for host in changed.initiators))
    return with_object(lunmap, section, name, changed)


def _steps(field: str) -> list[str]:
    """Return the steps of a field; a step with dots is in double quotes. Raises BadAssignmentError."""
    if not _FIELD.fullmatch(field):
        raise BadAssignmentError(
            f"{field!r} is no field: separate its steps by dots, and quote one with dots of its own, as in "
            """'backing.overrides."n1.example.org"=/dev/sdb'"""
        )
    return [quoted or plain for quoted, plain in _STEP.findall(field)]


def _check_field(path: list[str]) -> None:
    first, field = path[0], ".".join(path)
    if first in _SECRETS:
        raise BadAssignmentError(f"{field} is a secret, which no argument may hold: see 'lunmapctl secret'")
    if first in _ELSEWHERE:
        raise BadAssignmentError(f"{field} can't be set: {_ELSEWHERE[first]}")


def _set(plain: dict[str, Any], path: list[str], text: str, section: Section) -> None:
    *above, last = path
    for step in above:
        below = plain.setdefault(step, {})
        if not isinstance(below, dict):
            raise BadAssignmentError(f"{'.'.join(path)} can't be set: {step} has no fields")
        plain = below
    if section == "targets" and path == ["nodes"]:
        plain[last] = _with_settings(plain.get(last) or {}, text.split(",") if text else [])
    elif not text:
        plain.pop(last, None)
    elif path == ["preferred"]:
        plain[last] = read_preferred(text)
    else:
        plain[last] = text.split(",") if _is_list(path) else text


def read_preferred(text: str) -> str | tuple[str, ...]:
    """Return the field `preferred` of a Lun: one node, or a list of several separated by commas."""
    nodes = tuple(text.split(","))
    return nodes if len(nodes) > 1 else text


def _is_list(path: list[str]) -> bool:
    """Return whether a field is a list: of an object, or of a portal group of a target.

    Names of labels, and of nodes with a path of their own, may be those of lists.
    """
    return path[-1] in _LISTS and (len(path) == 1 or path[0] in {"nodes", "floating"})


def _with_settings(present: dict[str, Any], nodes: list[str]) -> dict[str, Any]:
    """Return the nodes of a target, which is a mapping: a node that stays keeps its settings."""
    return {node: present.get(node, {}) for node in nodes}
