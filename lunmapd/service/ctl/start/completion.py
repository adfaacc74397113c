"""The completion of names of objects, nodes and revisions by a shell.

click asks the type of a parameter for its completions. The types are set only while a shell completes, so
that no other run pays for them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

Names = Mapping[str, Sequence[str]]
"""The names of the map by section, hosts and targets by their short names.

Also `floating`, the groups that one node owns, `revisions`, newest first, and `mapped`, the hosts of one Lun.
"""

MAPPED = "mapped"

_VARIABLE = "_LUNMAPCTL_COMPLETE"
_ANY = "any"
_IN_SECTION = "in section"
_OF_LUN = "hosts of the Lun"
_SECTION = "section"
_NO_SECTIONS = {"floating", "mapped", "revisions"}
_KINDS = {
    "base": "revisions",
    "expect_revision": "revisions",
    "first": "nodes",
    "group": "groups",
    "groups": "groups",
    "host": "initiators",
    "hosts": "initiators",
    "initiator": "initiators",
    "lun": "luns",
    "luns": "luns",
    "names": _ANY,
    "node": "nodes",
    "nodes": "nodes",
    "on": "nodes",
    "path": _ANY,
    "preferred": "nodes",
    "rebacking": "luns",
    "reuse_ids": "nodes",
    "reuse_luns": "luns",
    "revision": "revisions",
    "section": _SECTION,
    "shrink": "luns",
    "span": "revisions",
    "target": "targets",
    "targets": "targets",
}
"""What a parameter of this name stands for."""

_ASSIGNED = {
    "float set": "floating",
    "group set": "groups",
    "host set": "initiators",
    "lun set": "luns",
    "node set": "nodes",
    "target set": "targets",
}
"""The section of the object whose fields a command sets."""

_KINDS_OF: Mapping[str, Mapping[str, str]] = {
    "edit": {"name": _IN_SECTION},
    "explain": {"name": _ANY},
    "float create": {"group": ""},
    "float delete": {"group": "floating"},
    "float move": {"group": "floating"},
    "float set": {"group": "floating"},
    "get": {"name": _IN_SECTION},
    "host rename": {"old": "initiators"},
    "lun create": {"path": ""},
    "lun delete": {"name": "luns"},
    "lun grow": {"name": "luns"},
    "lun rename": {"old": "luns"},
    "lun set": {"name": "luns"},
    "map": {"name": "luns"},
    "node add": {"node": ""},
    "secret clear": {"name": "initiators"},
    "group create": {"group": ""},
    "status": {"name": _ANY},
    "unmap": {"name": "luns", "hosts": _OF_LUN},
}
"""What differs for a command; "" stands for nothing that is known."""


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    AnyType = click.ParamType[Any]
else:  # older releases of click have no generic type
    AnyType = click.ParamType


class NameType(AnyType):
    """A parameter that takes any text, as its own type does, and completes names of the tree."""

    def __init__(self, kind: str, own: AnyType) -> None:
        """`kind` is a section of the map, or one of the words above."""
        self.name = own.name
        self._kind = kind
        self._own = own

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Convert the value as its own type does."""
        return self._own.convert(value, param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click hands it over by name
        incomplete: str,
    ) -> "list[CompletionItem]":
        """Return the names that begin so; none if the tree can't be read in time."""
        from click.shell_completion import CompletionItem

        lun = str(ctx.params.get("name") or "") if self._kind == _OF_LUN else ""
        names = read_names(ctx, lun)
        return [
            CompletionItem(name) for name in _choices(self._kind, ctx, names) if name.startswith(incomplete)
        ]


class FieldType(AnyType):
    """A parameter that takes any text, and completes `FIELD=VALUE` for an object of a section."""

    name = "text"

    def __init__(self, section: str) -> None:
        """Complete fields of the objects of this section."""
        self._section = section

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:  # noqa: ARG002 - click hands them over by name
        """Return the value as it is."""
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        """Return the fields, or the values of a field, that begin so."""
        from click.shell_completion import CompletionItem

        given = tuple(ctx.params.get(param.name or "") or ())
        before = _before_equals(given)
        module = import_module("lunmapd.service.ctl.known_fields")
        complete: Callable[[str, str, Names], list[str]] = module.complete_assignment
        found = complete(self._section, f"{before}{incomplete}", read_names(ctx))
        return [CompletionItem(word.removeprefix(before)) for word in found]


def _before_equals(given: Sequence[str]) -> str:
    """Return `FIELD=` if the shell has taken that as words of its own, as bash does; "" if not.

    bash hands over the field, `=` and the begin of the value as three words, and click leaves out a `=` at
    the end.
    """
    if given[-1:] == ("=",):
        return f"{given[-2]}=" if len(given) > 1 else ""
    is_cut = os.environ.get("COMP_WORDS", "").endswith("=")
    return f"{given[-1]}=" if is_cut and given else ""


def _choices(kind: str, ctx: click.Context, names: Names) -> list[str]:
    if kind == _SECTION:
        return [section for section in names if section not in _NO_SECTIONS]
    if kind == _IN_SECTION:
        kind = str(ctx.params.get("section") or "")
    if kind == _OF_LUN:
        kind = MAPPED
    kinds = ("luns", "nodes", "initiators") if kind == _ANY else (kind,)
    return list(dict.fromkeys(name for each in kinds for name in names.get(each, ())))


def read_names(ctx: click.Context, lun: str = "") -> Names:
    """Return the names of the tree that the options of the command line name; with `lun` also its hosts."""
    module = import_module("lunmapd.service.ctl.known_names")
    known: Callable[[Mapping[str, object], str], Names] = module.known_names
    return known(ctx.find_root().params, lun)


def complete_names(command: click.Command, words: str) -> None:
    """Let the parameters of a command complete names, if a shell is completing."""
    if _VARIABLE not in os.environ:
        return
    kinds = {**_KINDS, **_KINDS_OF.get(words, {})}
    for parameter in command.params:
        if parameter.name == "fields" and words in _ASSIGNED:
            parameter.type = FieldType(_ASSIGNED[words])
        elif kind := kinds.get(parameter.name or ""):
            parameter.type = NameType(kind, parameter.type)
